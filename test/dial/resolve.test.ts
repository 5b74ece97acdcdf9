import assert from "node:assert/strict";
import dns from "node:dns";
import type { LookupFunction } from "node:net";
import { test } from "node:test";
import { NameResolutionError } from "../../src/core/errors.ts";
import { DnsCache, type ResolveOptions, resolve } from "../../src/dial/resolve.ts";
import { settle, VirtualClock } from "../kit/clock.ts";
import { FakeResolver } from "./fake-net.ts";

const clock = new VirtualClock();

/** Asks, and keeps what comes back. */
class Question {
  error: Error | null = null;
  answer: string[] | null = null;
  calls = 0;
  readonly leave: () => void;

  constructor(host: string, options: Omit<ResolveOptions, "clock"> & { clock?: VirtualClock } = {}) {
    this.leave = resolve(host, { clock, ...options }, (error, addresses) => {
      this.calls += 1;
      this.error = error;
      this.answer = addresses?.map(({ address, family }) => `${family} ${address}`) ?? null;
    });
  }
}

const answering =
  (...reply: unknown[]): LookupFunction =>
  (_host, _options, callback) =>
    (callback as (...reply: unknown[]) => void)(...reply);

test("an address is its own answer", () => {
  const resolver = new FakeResolver();
  for (const [host, answer] of [
    ["127.0.0.1", "4 127.0.0.1"],
    ["::1", "6 ::1"],
    ["fe80::1%eth0", "6 fe80::1%eth0"],
  ] as const) {
    assert.deepEqual(new Question(host, { lookup: resolver.lookup }).answer, [answer]);
  }
  assert.deepEqual(resolver.calls, []);
});

test("the look-up function is asked for all addresses, and its order is kept", async () => {
  const resolver = new FakeResolver();
  const question = new Question("h.test.", { lookup: resolver.lookup });
  assert.deepEqual(resolver.calls[0]?.host, "h.test.");
  assert.deepEqual(resolver.calls[0]?.options, { all: true, family: 0 });
  resolver.answer("h.test.", ["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
  assert.equal(question.calls, 0);
  await settle();
  assert.deepEqual(question.answer, ["6 2001:db8::1", "4 192.0.2.1", "4 192.0.2.2"]);
});

test("a look-up function may answer with one address", async () => {
  const question = new Question("h.test", { lookup: answering(null, "192.0.2.1", 4) });
  await settle();
  assert.deepEqual(question.answer, ["4 192.0.2.1"]);
});

test("only addresses of the family that is asked for", async () => {
  const both = [
    { address: "2001:db8::1", family: 6 },
    { address: "192.0.2.1", family: 4 },
  ];
  const question = new Question("h.test", { lookup: answering(null, both), family: 4 });
  await settle();
  assert.deepEqual(question.answer, ["4 192.0.2.1"]);
});

const cause = Object.assign(new Error("getaddrinfo ENOTFOUND h.test"), { code: "ENOTFOUND" });
const thrower: LookupFunction = () => {
  throw cause;
};

for (const [what, lookup, reason, expectedCause] of [
  ["fails", answering(cause), cause.message, cause],
  ["throws", thrower, cause.message, cause],
  ["finds nothing", answering(null, []), "no addresses", undefined],
  ["gives nothing", answering(null), "no addresses", undefined],
  ["gives a name", answering(null, "other.test", 4), "no usable address: other.test", undefined],
] as const) {
  test(`a look-up that ${what}`, async () => {
    const question = new Question("h.test", { lookup });
    await settle();
    const { error } = question;
    assert.ok(error instanceof NameResolutionError);
    assert.equal(error.message, `Failed to resolve 'h.test' (${reason})`);
    assert.equal(error.cause, expectedCause);
    assert.equal(error.phase, "dns");
    assert.equal(question.calls, 1);
  });
}

for (const host of ["", ".", "a..b", ".a", "a..", `${"x".repeat(64)}.test`, `a.${"x".repeat(64)}`]) {
  test(`a name with a bad label: ${JSON.stringify(host)}`, () => {
    const { error } = new Question(host);
    assert.equal(error?.name, "LocationParseError");
    assert.equal(error.message, `Failed to parse: '${host}', label empty or too long`);
  });
}

test("labels of 63 characters, and the root's at the end", () => {
  const resolver = new FakeResolver();
  new Question(`${"x".repeat(63)}.test.`, { lookup: resolver.lookup });
  assert.equal(resolver.calls.length, 1);
});

test("look-ups of one name at the same time are one look-up", async () => {
  const resolver = new FakeResolver();
  const { lookup } = resolver;
  const questions = [new Question("h.test", { lookup }), new Question("h.test", { lookup })];
  const gone = new Question("h.test", { lookup });
  const others = [new Question("i.test", { lookup }), new Question("h.test", { lookup, family: 6 })];
  const elsewhere = new FakeResolver();
  new Question("h.test", { lookup: elsewhere.lookup });
  assert.deepEqual(
    resolver.calls.map(({ host, options }) => [host, options.family]),
    [
      ["h.test", 0],
      ["i.test", 0],
      ["h.test", 6],
    ],
  );
  assert.equal(elsewhere.calls.length, 1);
  gone.leave();
  resolver.answer("h.test", ["192.0.2.1"]);
  await settle();
  assert.deepEqual(
    questions.map(({ answer, calls }) => [answer, calls]),
    [
      [["4 192.0.2.1"], 1],
      [["4 192.0.2.1"], 1],
    ],
  );
  assert.equal(gone.calls, 0);
  assert.ok(others.every(({ calls }) => calls === 0));
  new Question("h.test", { lookup });
  assert.equal(resolver.calls.length, 4);
});

test("who shares a failure has an error of its own", async () => {
  const resolver = new FakeResolver();
  const [one, other] = [1, 2].map(() => new Question("h.test", { lookup: resolver.lookup }));
  resolver.fail("h.test", cause);
  await settle();
  assert.notEqual(one?.error, other?.error);
  assert.equal(one?.error?.cause, other?.error?.cause);
});

test("leaving between the answer and its delivery", async () => {
  const resolver = new FakeResolver();
  const question = new Question("h.test", { lookup: resolver.lookup });
  resolver.answer("h.test", ["192.0.2.1"]);
  question.leave();
  await settle();
  assert.equal(question.calls, 0);
});

test("a second answer is ignored", async () => {
  const lookup: LookupFunction = (_host, _options, callback) => {
    callback(null, "192.0.2.1", 4);
    callback(cause, "", 4);
  };
  const question = new Question("h.test", { lookup });
  await settle();
  assert.deepEqual([question.answer, question.calls], [["4 192.0.2.1"], 1]);
});

test("a look-up that never ends is joined for 30 s only", async () => {
  const time = new VirtualClock();
  const resolver = new FakeResolver();
  new Question("h.test", { lookup: resolver.lookup, clock: time });
  time.advance(29_999);
  new Question("h.test", { lookup: resolver.lookup, clock: time });
  assert.equal(resolver.calls.length, 1);
  time.advance(1);
  const late = new Question("h.test", { lookup: resolver.lookup, clock: time });
  assert.equal(resolver.calls.length, 2);
  // The first one's late end must not take the second's place.
  resolver.fail("h.test", cause);
  new Question("h.test", { lookup: resolver.lookup, clock: time });
  assert.equal(resolver.calls.length, 2);
  resolver.answer("h.test", ["192.0.2.1"]);
  await settle();
  assert.deepEqual(late.answer, ["4 192.0.2.1"]);
});

test("without a look-up function, dns.lookup as it is at that time", async () => {
  const resolver = new FakeResolver();
  const { lookup } = dns;
  dns.lookup = resolver.lookup as typeof dns.lookup;
  const question = new Question("h.test");
  dns.lookup = lookup;
  resolver.answer("h.test", ["192.0.2.1"]);
  await settle();
  assert.deepEqual(question.answer, ["4 192.0.2.1"]);
});

test("a cache answers until its time is over, and keeps no failures", async () => {
  const time = new VirtualClock();
  const resolver = new FakeResolver();
  const options = { lookup: resolver.lookup, dnsCache: new DnsCache({ ttl: 5000 }), clock: time };
  new Question("h.test", options);
  resolver.fail("h.test", cause);
  await settle();
  new Question("h.test", options);
  resolver.answer("h.test", ["192.0.2.1"]);
  await settle();
  assert.equal(resolver.calls.length, 2);
  time.advance(4999);
  assert.deepEqual(new Question("h.test", options).answer, ["4 192.0.2.1"]);
  new Question("h.test", { ...options, family: 6 });
  assert.equal(resolver.calls.length, 3);
  time.advance(1);
  new Question("h.test", options);
  assert.equal(resolver.calls.length, 4);
});

test("a cache keeps the newest, and can forget", async () => {
  const resolver = new FakeResolver();
  const dnsCache = new DnsCache({ maxEntries: 2 });
  const options = { lookup: resolver.lookup, dnsCache };
  for (const host of ["a.test", "b.test", "c.test"]) {
    new Question(host, options);
    resolver.answer(host, ["192.0.2.1"]);
    await settle();
  }
  assert.equal(dnsCache.size, 2);
  dnsCache.forget("b.test", { clock, ...options });
  assert.deepEqual(new Question("c.test", options).answer, ["4 192.0.2.1"]);
  new Question("b.test", options);
  assert.equal(resolver.calls.length, 4);
  dnsCache.clear();
  assert.equal(dnsCache.size, 0);
  for (const bad of [{ ttl: 0 }, { ttl: Number.NaN }, { maxEntries: 0 }]) {
    assert.throws(() => new DnsCache(bad), { name: "InvalidArgumentError" });
  }
});
