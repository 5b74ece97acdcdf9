import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import type { Timer } from "../../src/core/clock.ts";
import { NewConnectionError } from "../../src/core/errors.ts";
import {
  type Dial,
  type DialOptions,
  type DialTarget,
  type DialTimings,
  dial,
  FailedAddresses,
} from "../../src/dial/race.ts";
import { DnsCache } from "../../src/dial/resolve.ts";
import { VirtualClock } from "../kit/clock.ts";
import { FakeNet, FakeResolver, type FakeSocket } from "./fake-net.ts";

/** `connectTimeout`: of the only one who waits, in ms; then the dial is given up. */
type Given = Partial<DialOptions> & { readonly connectTimeout?: number };

/** Everything a dial touches, in the test's hands. */
class World {
  readonly clock = new VirtualClock();
  readonly resolver = new FakeResolver();
  readonly net = new FakeNet();
  readonly failedAddresses = new FailedAddresses();

  dial(given: Given = {}, target: DialTarget = { host: "h.test", port: 80 }): Dialled {
    const { connectTimeout = Number.POSITIVE_INFINITY, ...options } = given;
    const { clock, net, failedAddresses } = this;
    const { lookup } = this.resolver;
    const { createSocket } = net;
    const all = { clock, lookup, createSocket, failedAddresses, ...options };
    return new Dialled(target, all, connectTimeout);
  }

  /** A dial whose look-up has been answered. */
  async resolved(addresses: readonly string[], options: Given = {}): Promise<Dialled> {
    const dialled = this.dial(options);
    await this.clock.elapse(0);
    this.resolver.answer("h.test", addresses);
    await this.clock.elapse(0);
    return dialled;
  }

  socket(index: number): FakeSocket {
    const socket = this.net.sockets[index];
    assert.ok(socket, `there is no attempt ${index}`);
    return socket;
  }

  assertClean(winner?: FakeSocket): void {
    assert.equal(this.clock.pending, 0, "timers left");
    assert.deepEqual(this.net.open, winner === undefined ? [] : [winner], "sockets left open");
    for (const socket of this.net.sockets) {
      // A destroyed socket may still fail, and nobody must hear of it.
      const events = socket.eventNames();
      assert.deepEqual(events, socket === winner ? [] : ["error"]);
      assert.equal(socket.listenerTotal, events.length);
    }
  }
}

class Dialled {
  calls = 0;
  error: Error | null = null;
  socket: Socket | null = null;
  timings: DialTimings | null = null;
  readonly dial: Dial;
  #timer: Timer | null = null;

  constructor(target: DialTarget, options: DialOptions, connectTimeout: number) {
    this.dial = dial(target, options, (error, socket, timings) => {
      this.#timer?.cancel();
      this.calls += 1;
      this.error = error;
      this.socket = socket;
      this.timings = timings;
    });
    assert.equal(this.calls, 0, "done must not be called inside dial()");
    if (connectTimeout === Number.POSITIVE_INFINITY) return;
    this.#timer = options.clock.setTimer(() => {
      this.error = this.dial.timeoutError(connectTimeout);
      this.calls += 1;
      this.dial.abort(this.error);
    }, connectTimeout);
  }

  abort(): void {
    this.#timer?.cancel();
    this.dial.abort();
  }
}

function causeCode(error: Error | null): string | undefined {
  return (error?.cause as NodeJS.ErrnoException | undefined)?.code;
}

const V6 = "2001:db8::1";
const V4 = "192.0.2.1";

test("one address", async () => {
  const world = new World();
  const dialled = world.dial();
  await world.clock.elapse(7);
  world.resolver.answer("h.test", [V4]);
  await world.clock.elapse(20);
  assert.deepEqual(world.net.names, [`${V4} 80`]);
  world.socket(0).connect();
  assert.equal(dialled.socket, world.socket(0));
  assert.equal(dialled.error, null);
  assert.deepEqual(dialled.timings, { dns: 7, connect: 20 });
  assert.equal(dialled.calls, 1);
  world.assertClean(world.socket(0));
});

test("options of the socket", async () => {
  const world = new World();
  const onread = { buffer: Buffer.alloc(1), callback: () => true };
  const nothing = { noDelay: null, keepAlive: null, onread: null, sourceAddress: null };
  await world.resolved([V4], nothing);
  await world.resolved([V6], { noDelay: false, keepAlive: true, keepAliveInitialDelay: 1000, onread });
  await world.resolved([V4], { sourceAddress: "192.0.2.9" });
  await world.resolved([V4], { sourceAddress: { address: "192.0.2.9", port: 1234 } });
  await world.resolved([V4], { sourceAddress: ["192.0.2.9", 1234] });
  await world.resolved([V4], { sourceAddress: ["192.0.2.9"] });
  const basics = { port: 80, autoSelectFamily: false };
  assert.deepEqual(
    world.net.sockets.map(({ options }) => options),
    [
      { ...basics, host: V4, family: 4, noDelay: true },
      {
        ...basics,
        host: V6,
        family: 6,
        noDelay: false,
        keepAlive: true,
        keepAliveInitialDelay: 1000,
        onread,
      },
      { ...basics, host: V4, family: 4, noDelay: true, localAddress: "192.0.2.9", localPort: 0 },
      { ...basics, host: V4, family: 4, noDelay: true, localAddress: "192.0.2.9", localPort: 1234 },
      { ...basics, host: V4, family: 4, noDelay: true, localAddress: "192.0.2.9", localPort: 1234 },
      { ...basics, host: V4, family: 4, noDelay: true, localAddress: "192.0.2.9", localPort: 0 },
    ],
  );
  assert.deepEqual(
    world.resolver.calls.map(({ options }) => options.family),
    [0, 0, 4, 4, 4, 4],
  );
});

test("an address is dialled without a look-up, its zone kept", async () => {
  const world = new World();
  world.dial({}, { host: "fe80::1%eth0", port: 80 });
  await world.clock.elapse(0);
  assert.deepEqual(world.net.names, ["fe80::1%eth0 80"]);
  assert.deepEqual(world.resolver.calls, []);
});

test("a Unix-domain socket", async () => {
  const world = new World();
  const addressFilter = () => assert.fail("there is no address to ask for");
  const dialled = world.dial({ addressFilter }, { socketPath: "/run/x.sock" });
  await world.clock.elapse(3);
  assert.deepEqual(world.socket(0).options, { path: "/run/x.sock" });
  world.socket(0).connect();
  assert.deepEqual([dialled.socket, dialled.timings], [world.socket(0), { dns: 0, connect: 3 }]);
  world.assertClean(world.socket(0));
});

test("the next attempt starts after 250 ms and the first goes on", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4]);
  await world.clock.elapse(249);
  assert.deepEqual(world.net.names, [`${V6} 80`]);
  await world.clock.elapse(1);
  assert.deepEqual(world.net.names, [`${V6} 80`, `${V4} 80`]);
  assert.equal(world.socket(0).destroyed, false);
  await world.clock.elapse(1000);
  world.socket(0).connect();
  assert.equal(dialled.socket, world.socket(0));
  world.assertClean(world.socket(0));
});

test("families in turn, 250 ms apart each", async () => {
  const world = new World();
  await world.resolved([V6, "2001:db8::2", V4, "192.0.2.2"]);
  const expected = [V6, V4, "2001:db8::2", "192.0.2.2"].map((address) => `${address} 80`);
  for (let started = 1; started <= 4; started += 1) {
    assert.deepEqual(world.net.names, expected.slice(0, started));
    await world.clock.elapse(250);
  }
  assert.equal(world.clock.pending, 0);
});

test("the next attempt starts at once when one fails, and the one after it 250 ms later", async () => {
  const world = new World();
  await world.resolved([V6, V4, "192.0.2.2"]);
  await world.clock.elapse(100);
  world.socket(0).fail("ECONNREFUSED");
  assert.equal(world.net.sockets.length, 2);
  await world.clock.elapse(249);
  assert.equal(world.net.sockets.length, 2);
  await world.clock.elapse(1);
  assert.equal(world.net.sockets.length, 3);
});

test("a failure while others are under way does not end the dial", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4]);
  await world.clock.elapse(250);
  world.socket(1).fail("ECONNREFUSED");
  assert.equal(dialled.calls, 0);
  world.socket(0).connect();
  assert.equal(dialled.socket, world.socket(0));
  world.assertClean(world.socket(0));
});

test("the losers are destroyed, and what they still say is not heard", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4]);
  await world.clock.elapse(250);
  world.socket(1).connect();
  assert.equal(world.socket(0).destroyed, true);
  world.socket(0).connect();
  world.socket(0).fail("ECONNRESET");
  assert.equal(dialled.calls, 1);
  assert.equal(dialled.socket, world.socket(1));
  world.assertClean(world.socket(1));
});

test("all addresses fail: the first error that tells, and all addresses in the message", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4, "192.0.2.2"]);
  for (const [index, code] of ["ENETUNREACH", "ECONNREFUSED", "ETIMEDOUT"].entries()) {
    world.socket(index).fail(code);
  }
  const { error } = dialled;
  assert.ok(error instanceof NewConnectionError);
  assert.equal(error.name, "NewConnectionError");
  assert.equal(
    error.message,
    `Failed to establish a new connection: connect ECONNREFUSED ${V4}:80 ` +
      `(tried [${V6}]:80, ${V4}:80, 192.0.2.2:80)`,
  );
  assert.equal(causeCode(error), "ECONNREFUSED");
  assert.equal(error.phase, "connect");
  assert.equal(dialled.calls, 1);
  world.assertClean();
});

test("one address that fails", async () => {
  const world = new World();
  const dialled = await world.resolved([V4]);
  world.socket(0).fail("ECONNREFUSED");
  assert.equal(dialled.error?.message, `Failed to establish a new connection: connect ECONNREFUSED ${V4}:80`);
});

test("only ways that do not exist: the first of them", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4]);
  world.socket(0).fail("ENETUNREACH");
  world.socket(1).fail("EADDRNOTAVAIL");
  assert.equal(causeCode(dialled.error), "ENETUNREACH");
});

test("a socket that closes without a word, and an error without one", async () => {
  const world = new World();
  const dialled = await world.resolved([V4, "192.0.2.2"]);
  world.socket(0).emit("close");
  world.socket(1).emit("error", Object.assign(new Error(""), { code: "EWEIRD" }));
  assert.match(dialled.error?.message ?? "", /^Failed to establish a new connection: the socket was closed/);
  const silent = await world.resolved([V4]);
  world.socket(2).emit("error", Object.assign(new Error(""), { code: "EWEIRD" }));
  assert.equal(silent.error?.message, "Failed to establish a new connection: EWEIRD");
  world.assertClean();
});

test("an attempt that cannot even begin", async () => {
  const world = new World();
  world.net.broken = Object.assign(new Error("socket EMFILE"), { code: "EMFILE" });
  const dialled = await world.resolved(Array.from({ length: 5000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`));
  assert.equal(dialled.error?.name, "NewConnectionError");
  assert.match(dialled.error?.message ?? "", /: socket EMFILE \(tried 10\.0\.0\.0:80, /);
  assert.equal(dialled.error?.cause, world.net.broken);
  assert.equal(world.failedAddresses.size, 0, "the addresses are not at fault");
  world.assertClean();
});

test("names that do not resolve", async () => {
  const world = new World();
  const dialled = world.dial();
  await world.clock.elapse(5);
  world.resolver.fail("h.test", new Error("getaddrinfo ENOTFOUND h.test"));
  await world.clock.elapse(0);
  assert.equal(dialled.error?.name, "NameResolutionError");
  assert.deepEqual(dialled.timings, { dns: 5, connect: 0 });
  const label = world.dial({}, { host: "a..b", port: 80 });
  await world.clock.elapse(0);
  assert.equal(label.error?.name, "LocationParseError");
  world.assertClean();
});

test("the filter is asked for every address, and what it refuses is not dialled", async () => {
  const world = new World();
  const asked: unknown[] = [];
  const addressFilter = (address: string, family: 4 | 6) => {
    asked.push([address, family]);
    return family === 4;
  };
  const dialled = await world.resolved([V6, V4], { addressFilter });
  assert.deepEqual(asked, [
    [V6, 6],
    [V4, 4],
  ]);
  assert.deepEqual(world.net.names, [`${V4} 80`]);
  world.socket(0).fail("ECONNREFUSED");
  assert.equal(dialled.error?.name, "NewConnectionError");
});

test("the filter refuses all addresses", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4], { addressFilter: () => false });
  assert.equal(dialled.error?.name, "AddressBlockedError");
  assert.equal(dialled.error?.message, `addressFilter refuses every address of 'h.test': ${V6}, ${V4}`);
  const literal = world.dial({ addressFilter: () => false }, { host: "127.0.0.1", port: 80 });
  await world.clock.elapse(0);
  assert.equal(literal.error?.name, "AddressBlockedError");
  assert.deepEqual(world.net.names, []);
  world.assertClean();
});

test("only true lets an address pass", async () => {
  const world = new World();
  const dialled = await world.resolved([V4], { addressFilter: (async () => true) as never });
  assert.equal(dialled.error?.name, "AddressBlockedError");
  const cause = new Error("filter broken");
  const thrown = await world.resolved([V4], {
    addressFilter: () => {
      throw cause;
    },
  });
  assert.equal(thrown.error?.name, "AddressBlockedError");
  assert.equal(thrown.error?.cause, cause);
  assert.deepEqual(world.net.names, []);
});

test("time runs out during the look-up", async () => {
  const world = new World();
  const dialled = world.dial({ connectTimeout: 1000 });
  await world.clock.elapse(999);
  assert.equal(dialled.calls, 0);
  await world.clock.elapse(1);
  assert.equal(dialled.error?.name, "ConnectTimeoutError");
  assert.equal(
    dialled.error?.message,
    "Connection to h.test timed out. (connect timeout=1000 ms) (its name is still being looked up)",
  );
  assert.equal((dialled.error as NewConnectionError).phase, "dns");
  world.resolver.answer("h.test", [V4]);
  await world.clock.elapse(0);
  assert.deepEqual([dialled.calls, world.net.names], [1, []]);
  world.assertClean();
});

test("time runs out while attempts are under way", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4, "192.0.2.2"], { connectTimeout: 300 });
  world.socket(0).fail("ECONNREFUSED");
  await world.clock.elapse(300);
  assert.equal(dialled.error?.name, "ConnectTimeoutError");
  assert.equal((dialled.error as NewConnectionError).phase, "connect");
  assert.equal(causeCode(dialled.error), "ECONNREFUSED");
  assert.match(
    dialled.error!.message,
    /\(connect timeout=300 ms\) \(tried \[2001:db8::1\]:80, 192\.0\.2\.1:80, 192\.0\.2\.2:80\)$/,
  );
  assert.equal(world.net.sockets.length, 3);
  world.assertClean();
});

test("a dial has no timer of its own before its first attempt", () => {
  const world = new World();
  world.dial();
  assert.equal(world.clock.pending, 0);
});

test("a dial goes on after one of several who wait has been told that his time is over", async () => {
  const world = new World();
  const dialled = await world.resolved([V4]);
  const error = dialled.dial.timeoutError(99.5);
  assert.equal(error.message, `Connection to h.test timed out. (connect timeout=100 ms) (tried ${V4}:80)`);
  assert.equal(world.failedAddresses.size, 0);
  world.socket(0).connect();
  assert.equal(dialled.socket, world.socket(0));
});

test("an attempt that came through while the program was busy counts before the next one begins", async () => {
  const world = new World();
  const dialled = await world.resolved([V6, V4]);
  // The timer is late, and what the network has brought meanwhile is read right after it.
  world.clock.setTimer(() => world.clock.setTimer(() => world.socket(0).connect(), 0), 240);
  world.clock.block(2000);
  await world.clock.elapse(0);
  assert.deepEqual(world.net.names, [`${V6} 80`]);
  assert.equal(dialled.socket, world.socket(0));
  world.assertClean(world.socket(0));
});

test("an address that failed is tried last for a minute", async () => {
  const world = new World();
  await world.resolved([V6, V4]);
  world.socket(0).fail("ECONNREFUSED");
  world.socket(1).connect();
  await world.resolved([V6, V4]);
  assert.equal(world.net.names[2], `${V4} 80`);
  await world.clock.elapse(60_000);
  await world.resolved([V6, V4]);
  assert.equal(world.net.names.at(-1), `${V6} 80`);
});

test("an address that was overtaken after its head start, or timed out, is tried last too", async () => {
  const world = new World();
  await world.resolved([V6, V4]);
  await world.clock.elapse(250);
  world.socket(1).connect();
  assert.equal(world.failedAddresses.has(V6, 80, world.clock.now()), true);
  assert.equal(world.failedAddresses.has(V4, 80, world.clock.now()), false);
  await world.resolved([V6, V4], { connectTimeout: 100 });
  assert.equal(world.net.names[2], `${V4} 80`);
  await world.clock.elapse(100);
  assert.equal(world.failedAddresses.has(V4, 80, world.clock.now()), true);
});

test("being overtaken without a head start is no failure, and success clears the name", async () => {
  const world = new World();
  world.failedAddresses.add(V6, 80, 0);
  await world.resolved([V6]);
  world.socket(0).connect();
  assert.equal(world.failedAddresses.size, 0);
  const third = "192.0.2.2";
  await world.resolved([V6, V4, third]);
  await world.clock.elapse(250);
  // Now the third starts right after the second, and wins.
  world.socket(1).fail("ECONNREFUSED");
  world.socket(3).connect();
  const failed = [V6, V4, third].filter((address) =>
    world.failedAddresses.has(address, 80, world.clock.now()),
  );
  assert.deepEqual(failed, [V6]);
});

test("one look-up for dials at the same time; an abort of one leaves the other", async () => {
  const world = new World();
  const [one, other] = [world.dial(), world.dial()];
  await world.clock.elapse(0);
  assert.equal(world.resolver.calls.length, 1);
  one.dial.abort();
  world.resolver.answer("h.test", [V4]);
  await world.clock.elapse(0);
  assert.equal(world.net.sockets.length, 1);
  world.socket(0).connect();
  assert.deepEqual([one.calls, other.calls], [0, 1]);
});

test("a cached answer is forgotten when nothing of it can be reached", async () => {
  const world = new World();
  const dnsCache = new DnsCache();
  await world.resolved([V4], { dnsCache });
  world.socket(0).connect();
  for (const time of [1, 2]) {
    world.dial({ dnsCache });
    await world.clock.elapse(0);
    assert.equal(world.resolver.calls.length, 1);
    if (time === 1) world.socket(1).connect();
    else world.socket(2).fail("EHOSTUNREACH");
  }
  assert.equal(dnsCache.size, 0);
  world.dial({ dnsCache });
  await world.clock.elapse(0);
  assert.equal(world.resolver.calls.length, 2);
});

test("ref and unref reach attempts under way and those to come", async () => {
  const world = new World();
  const { dial } = await world.resolved([V6, V4, "192.0.2.2"]);
  dial.unref();
  assert.equal(world.socket(0).referenced, false);
  await world.clock.elapse(250);
  assert.equal(world.socket(1).referenced, false);
  dial.ref();
  assert.deepEqual([world.socket(0).referenced, world.socket(1).referenced], [true, true]);
  await world.clock.elapse(250);
  assert.equal(world.socket(2).referenced, true);
  world.socket(2).connect();
  dial.unref();
  assert.equal(world.socket(2).referenced, true, "the winner is somebody else's now");
});

test("abort at every stage closes everything and reports nothing", async () => {
  const stages: ((world: World) => Promise<void> | void)[] = [
    () => {},
    (world) => world.clock.elapse(0),
    (world) => world.resolver.answer("h.test", [V6, V4]),
    (world) => world.clock.elapse(0),
    (world) => world.clock.elapse(250),
    (world) => world.socket(0).fail("ECONNREFUSED"),
  ];
  for (let last = -1; last < stages.length; last += 1) {
    const world = new World();
    const dialled = world.dial({ connectTimeout: 10_000 });
    for (const stage of stages.slice(0, last + 1)) await stage(world);
    dialled.abort();
    dialled.abort();
    if (last < 2) await world.clock.elapse(0);
    if (last === -1) assert.deepEqual(world.resolver.calls, []);
    if (last === 0 || last === 1) world.resolver.answer("h.test", [V4]);
    await world.clock.elapse(20_000);
    for (const socket of world.net.sockets) socket.connect();
    assert.equal(dialled.calls, 0, `stage ${last}`);
    world.assertClean();
  }
});

test("abort after success does not touch the socket", async () => {
  const world = new World();
  const dialled = await world.resolved([V4]);
  world.socket(0).connect();
  dialled.abort();
  assert.equal(world.socket(0).destroyed, false);
});

test("whatever happens in whatever order, there is one report and nothing is left", async () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 400 }) }),
    fc.record({ kind: fc.constant("fail" as const), index: fc.nat(5) }),
    fc.record({ kind: fc.constant("connect" as const), index: fc.nat(5) }),
    fc.record({ kind: fc.constant("abort" as const) }),
  );
  const addresses = fc.array(fc.constantFrom(V6, V4, "192.0.2.2", "2001:db8::2"), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(addresses, fc.array(event, { maxLength: 12 }), async (answer, events) => {
      const world = new World();
      const dialled = await world.resolved(answer, { connectTimeout: 2000 });
      let aborted = false;
      for (const one of events) {
        const socket = "index" in one ? world.net.sockets[one.index] : undefined;
        if (one.kind === "wait") await world.clock.elapse(one.ms);
        else if (one.kind === "abort") {
          aborted ||= dialled.calls === 0;
          dialled.abort();
        } else if (socket !== undefined && !socket.destroyed && dialled.socket === null) {
          if (one.kind === "fail") socket.fail("ECONNREFUSED");
          else socket.connect();
        }
      }
      await world.clock.elapse(2000);
      assert.equal(dialled.calls, aborted ? 0 : 1);
      assert.equal(dialled.error === null, aborted || dialled.socket !== null);
      world.assertClean((dialled.socket as unknown as FakeSocket | null) ?? undefined);
    }),
    { seed: 20260101, numRuns: 60 },
  );
});
