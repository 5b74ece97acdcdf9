import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { InvalidHeader } from "../../../src/core/errors.ts";
import { HTTPHeaderDict } from "../../../src/core/headers.ts";
import type { FieldDecoder } from "../../../src/protocol/h2/field-decoder.ts";
import { FieldEncoder } from "../../../src/protocol/h2/field-encoder.ts";
import { type HeadFacts, listSize, requestFields } from "../../../src/protocol/h2/fields.ts";
import { HeadEncoder } from "../../../src/protocol/h2/head-encoder.ts";
import { Output } from "../../../src/protocol/h2/output.ts";
import { SEED, seededRandom } from "../../kit/seed.ts";
import { asLines, decodeBlock, generousDecoder, linesOf } from "./decoding.ts";
import { hpackCorpus } from "./material.ts";

const DEFAULTS = { acceptEncoding: "gzip, deflate, br", userAgent: "urlpool/test" };

function head(facts: Partial<HeadFacts> = {}): HeadFacts {
  return {
    method: "GET",
    scheme: "https",
    authority: "a.test:8443",
    target: "/",
    headers: null,
    addedLength: null,
    defaults: DEFAULTS,
    plain: null,
    ...facts,
  };
}

/** An encoder with the decoder of its peer. */
class Pair {
  readonly encoder = new HeadEncoder();
  readonly decoder: FieldDecoder = generousDecoder();
  last: Buffer = Buffer.alloc(0);

  send(facts: HeadFacts, limit: number = Number.POSITIVE_INFINITY): string {
    const out = new Output();
    this.encoder.encode(out, facts, limit);
    this.last = Buffer.from(out.bytes.subarray(0, out.length));
    return linesOf(decodeBlock(this.decoder, this.last));
  }
}

const PLAIN_LINES = (method: string, path: string): string =>
  [
    `:method: ${method}`,
    ":scheme: https",
    ":authority: a.test:8443",
    `:path: ${path}`,
    "accept-encoding: gzip, deflate, br",
    "user-agent: urlpool/test",
    "",
  ].join("\r\n");

describe("the field lists of the public corpus", () => {
  const { lists, encoders } = hpackCorpus();
  for (const [name, stories] of Object.entries(encoders)) {
    it(`go there and back, with the table sizes of ${name}`, () => {
      for (const cases of Object.values(stories)) {
        const encoder = new FieldEncoder();
        const decoder = generousDecoder();
        for (const [, list, tableSize] of cases) {
          if (tableSize !== undefined) encoder.allowTable(tableSize);
          const out = new Output();
          encoder.begin(out);
          for (const [field, value] of lists[list]!) encoder.field(out, field, value);
          const block = decodeBlock(decoder, out.bytes.subarray(0, out.length));
          assert.equal(linesOf(block), asLines(lists[list]!));
          assert.ok(decoder.table.size <= (tableSize ?? 4096));
        }
      }
    });
  }

  it("are of 109 stories", () => {
    assert.equal(Object.values(encoders).flatMap((stories) => Object.keys(stories)).length, 109);
  });
});

describe("the encoder of request heads", () => {
  it("writes what its peer's decoder reads, the first time and from the table", () => {
    const pair = new Pair();
    const plain = {};
    for (const target of ["/", "/a?b=c", "/", "/long/".repeat(40)]) {
      for (const method of ["GET", "POST", "HEAD", "DELETE", "GET"]) {
        assert.equal(pair.send(head({ plain, target, method })), PLAIN_LINES(method, target));
      }
    }
  });

  it("writes a plain request in a few octets once its fields stand in the table", () => {
    const pair = new Pair();
    const plain = {};
    pair.send(head({ plain }));
    const first = pair.last.length;
    pair.send(head({ plain, target: "/small" }));
    pair.send(head({ plain, target: "/small" }));
    assert.ok(first > 30);
    assert.equal(pair.last.length, 5 + 2 + "/small".length);
  });

  it("finds its fields again when another insertion has moved the indices", () => {
    const pair = new Pair();
    const plain = {};
    for (let round = 0; round < 12; round++) {
      assert.equal(pair.send(head({ plain, target: `/${round}` })), PLAIN_LINES("GET", `/${round}`));
      const headers = new HTTPHeaderDict({ accept: `text/${round}` });
      assert.match(pair.send(head({ headers })), new RegExp(`accept: text/${round}`));
    }
  });

  it("does not take another origin's request for a plain one", () => {
    const pair = new Pair();
    const plain = {};
    for (let round = 0; round < 3; round++) {
      assert.match(pair.send(head({ plain })), /:authority: a\.test:8443\r\n/);
      assert.match(pair.send(head({ plain, authority: "b.test" })), /:authority: b\.test\r\n/);
      assert.match(pair.send(head({ plain, scheme: "http" })), /:scheme: http\r\n/);
    }
  });

  it("inserts a field of the caller when it comes a second time", () => {
    const pair = new Pair();
    const headers = new HTTPHeaderDict({ "X-Tenant": "acme" });
    const lengths = Array.from({ length: 4 }, () => {
      assert.match(pair.send(head({ headers })), /\r\nx-tenant: acme\r\n/);
      return pair.last.length;
    });
    assert.equal(pair.encoder.fields.inserted, 4); // three of ours, one of the caller's
    assert.ok(lengths[2]! < lengths[1]! && lengths[3] === lengths[2]);
  });

  it("never lets anybody index a credential", () => {
    const pair = new Pair();
    const names = [
      "authorization",
      "cookie",
      "proxy-authorization",
      "x-auth-token",
      "x-api-key",
      "client-secret",
    ];
    for (let round = 0; round < 4; round++) {
      for (const name of names) {
        const headers = new HTTPHeaderDict({ [name]: "hunter2" });
        assert.match(pair.send(head({ headers })), new RegExp(`${name}: hunter2`));
        // The value is in the block as it is, and the representation begins with 0001.
        const at = pair.last.indexOf("hunter2");
        assert.ok(at > 0, name);
      }
    }
    assert.equal(pair.encoder.fields.inserted, 3);
    const out = new Output();
    new FieldEncoder().field(out, "authorization", "x");
    assert.equal(out.bytes[0]! >> 4, 1);
  });

  it("never evicts: when the table is full it inserts nothing more", () => {
    const pair = new Pair();
    for (let round = 0; round < 300; round++) {
      for (let twice = 0; twice < 2; twice++) {
        const headers = new HTTPHeaderDict({ [`x-${round}`]: "v".repeat(60) });
        assert.match(pair.send(head({ headers })), new RegExp(`x-${round}: vvv`));
      }
    }
    assert.equal(pair.decoder.table.inserted, pair.decoder.table.count);
    assert.ok(pair.decoder.table.size <= 4096 && pair.decoder.table.size > 3800);
  });

  it("remembers a bounded number of fields that come once", () => {
    const pair = new Pair();
    for (let round = 0; round < 5000; round++) {
      pair.send(
        head({ headers: new HTTPHeaderDict({ [`x-${round}`]: `${round}`, "x-request": `${round}` }) }),
      );
    }
    assert.equal(pair.encoder.fields.inserted, 3);
  });

  it("empties its table when the peer's becomes another, and says so", () => {
    const pair = new Pair();
    const plain = {};
    pair.send(head({ plain }));
    for (const size of [0, 100, 4096, 65_536, 50]) {
      pair.encoder.fields.allowTable(size);
      for (let round = 0; round < 3; round++) {
        assert.equal(pair.send(head({ plain })), PLAIN_LINES("GET", "/"));
        assert.equal(pair.decoder.table.limit, Math.min(size, 4096));
      }
    }
  });

  it("says the smallest size where it fell and rose again", () => {
    const pair = new Pair();
    pair.send(head());
    pair.encoder.fields.allowTable(0);
    pair.encoder.fields.allowTable(4096);
    pair.send(head());
    assert.equal(pair.last[0], 0x20);
    assert.equal(pair.decoder.table.count, 3);
  });

  it("refuses a list that the peer does not accept before the table is touched", () => {
    const pair = new Pair();
    const plain = {};
    pair.send(head({ plain }));
    pair.send(head({ plain }));
    const headers = new HTTPHeaderDict({ accept: "x".repeat(400) });
    const limit = listSize(requestFields(head({ headers }))) - 1;
    assert.throws(() => pair.send(head({ headers }), limit), InvalidHeader);
    assert.throws(() => pair.send(head({ plain, target: `/${"x".repeat(800)}` }), limit), InvalidHeader);
    assert.equal(pair.encoder.fields.inserted, 3);
    assert.equal(pair.send(head({ plain }), limit), PLAIN_LINES("GET", "/"));
    assert.match(pair.send(head({ headers }), limit + 1), /accept: xxx/);
  });

  it("and any peer's decoder agree on any heads and table sizes", () => {
    const name = fc.constantFrom(
      "accept",
      "x-a",
      "X-B",
      "authorization",
      "cookie",
      "content-type",
      "etag",
      "a-key",
    );
    const value = fc.oneof(
      fc.constantFrom("", "gzip, deflate", "text/plain", "1"),
      fc.string({
        unit: fc
          .integer({ min: 32, max: 255 })
          .filter((code) => code !== 127)
          .map((code) => String.fromCharCode(code)),
        maxLength: 300,
      }),
    );
    const request = fc.record({
      method: fc.constantFrom("GET", "POST", "PUT", "HEAD", "PROPFIND"),
      target: fc.constantFrom("/", "/index.html", "/x?y"),
      fields: fc.array(fc.tuple(name, value), { maxLength: 6 }),
      tableSize: fc.option(fc.integer({ min: 0, max: 8192 }), { freq: 8 }),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
        const pair = new Pair();
        for (const { method, target, fields, tableSize } of requests) {
          if (tableSize !== null) pair.encoder.fields.allowTable(tableSize);
          const facts = head({ method, target, headers: new HTTPHeaderDict(fields) });
          const { lines, authority } = requestFields(facts);
          let expected = `:method: ${method}\r\n:scheme: https\r\n:authority: ${authority}\r\n:path: ${target}\r\n`;
          for (let at = 0; at < lines.length; at += 2) expected += `${lines[at]}: ${lines[at + 1]}\r\n`;
          assert.equal(pair.send(facts), expected);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it("keeps in step with the decoder over thousands of mixed requests", () => {
    const random = seededRandom();
    const pair = new Pair();
    const plain = {};
    for (let step = 0; step < 4000; step++) {
      if (random.chance(0.6)) {
        assert.equal(pair.send(head({ plain, target: `/${step}` })), PLAIN_LINES("GET", `/${step}`));
        continue;
      }
      const headers = new HTTPHeaderDict({
        "x-trace": `${random.integer(0, 40)}`,
        accept: `v${random.integer(0, 60)}`,
      });
      assert.match(pair.send(head({ headers })), /x-trace: \d+\r\naccept: v\d+\r\n$/);
    }
  });
});
