/** What every error class and every error has. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import * as urlpool from "../../src/index.ts";

type ErrorClass = new (message: string, options?: urlpool.HTTPErrorOptions) => Error & { code: string };

const classes: [name: string, value: ErrorClass][] = [];
for (const [name, value] of Object.entries(urlpool)) {
  if (typeof value === "function" && value.prototype instanceof Error) {
    classes.push([name, value as unknown as ErrorClass]);
  }
}

/** urllib3's hierarchy: each class and what it is besides. */
const HIERARCHY: Record<string, readonly string[]> = {
  PoolError: ["HTTPError"],
  EmptyPoolError: ["PoolError"],
  FullPoolError: ["PoolError"],
  ClosedPoolError: ["PoolError"],
  RequestError: ["PoolError"],
  MaxRetryError: ["RequestError"],
  HostChangedError: ["RequestError"],
  ReadTimeoutError: ["RequestError", "TimeoutError"],
  TimeoutError: ["HTTPError"],
  ConnectTimeoutError: ["TimeoutError"],
  NewConnectionError: ["ConnectTimeoutError"],
  NameResolutionError: ["NewConnectionError"],
  SSLError: ["HTTPError"],
  ProxyError: ["HTTPError"],
  ProtocolError: ["HTTPError"],
  ResponseNotChunked: ["ProtocolError"],
  IncompleteRead: ["HTTPError"],
  InvalidChunkLength: ["HTTPError"],
  DecodeError: ["HTTPError"],
  ResponseError: ["HTTPError"],
  InvalidHeader: ["HTTPError"],
  UnrewindableBodyError: ["HTTPError"],
  TimeoutStateError: ["HTTPError"],
  LocationValueError: ["HTTPError"],
  LocationParseError: ["LocationValueError"],
  URLSchemeUnknown: ["LocationValueError"],
  ProxySchemeUnknown: ["URLSchemeUnknown"],
};

describe("error classes", () => {
  it("each has a code of its own and its own name", () => {
    const codes = new Map<string, string>();
    for (const [name, Class] of classes) {
      const error = new Class("x");
      assert.match(error.code, /^ERR_URLPOOL_[A-Z]+(_[A-Z]+)*$/, name);
      assert.equal(codes.get(error.code), undefined, `${name} has a code of another`);
      codes.set(error.code, name);
      assert.equal(error.name, name);
    }
    assert.ok(codes.size > 25);
  });

  it("ErrorCode names the codes of all of them, and no other", () => {
    let root = dirname(fileURLToPath(import.meta.url));
    while (!existsSync(join(root, "package.json"))) root = dirname(root);
    const source = readFileSync(join(root, "src/core/error-facts.ts"), "utf8");
    const union = /^export type ErrorCode =\n((?: {2}\| "\w+";?\n)+)/m.exec(source)![1]!;
    const codes = Array.from(union.matchAll(/"(\w+)"/g), ([, code]) => code);
    assert.deepEqual(codes.sort(), classes.map(([, Class]) => new Class("x").code).sort());
    const code: urlpool.ErrorCode = new urlpool.HTTPError("x").code;
    assert.equal(code, "ERR_URLPOOL_HTTP");
  });

  it("stand in urllib3's hierarchy", () => {
    const byName = new Map(classes);
    for (const [name, parents] of Object.entries(HIERARCHY)) {
      const error = new (byName.get(name)!)("x");
      for (const parent of [...parents, "HTTPError"]) {
        assert.ok(error instanceof byName.get(parent)!, `${name} is no ${parent}`);
      }
    }
    assert.ok(!(new urlpool.ConnectTimeoutError("x") instanceof urlpool.ReadTimeoutError));
    assert.ok(!(new urlpool.ReadTimeoutError("x") instanceof urlpool.ConnectTimeoutError));
  });

  it("say in JSON what they are", () => {
    for (const [name, Class] of classes) {
      const { code, message } = new Class("what");
      const json = JSON.parse(JSON.stringify(new Class("what")));
      assert.deepEqual([json.name, json.code, json.message], [name, code, message]);
    }
  });
});

describe("console.log of an error", () => {
  it("shows the reason once, as its cause", () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const reason = new urlpool.NewConnectionError("refused", { cause });
    const error = new urlpool.MaxRetryError("m", { reason });
    assert.equal(error.reason, reason);
    assert.equal(error.cause, reason);
    assert.equal(inspect(error).split("'ECONNREFUSED'").length - 1, 1);
    assert.ok(!Object.keys(error).includes("reason"));
  });

  it("does not show the answer, which may hold cookies", () => {
    const response = new urlpool.HTTPResponse({ status: 503, headers: { "Set-Cookie": "s3cr3t" } });
    const reason = new urlpool.ResponseError("x", { status: 503, response });
    const error = new urlpool.MaxRetryError("m", { reason });
    assert.equal(error.response, response);
    for (const text of [inspect(error), JSON.stringify(error)]) assert.ok(!text.includes("s3cr3t"), text);
  });
});

describe("toJSON", () => {
  it("holds causes to any depth, the errors of an AggregateError too, without credentials", () => {
    const secret = new Error("at http://me:secret@host/");
    const cause = new AggregateError([secret, new urlpool.NewConnectionError("refused")], "both");
    const error = new urlpool.MaxRetryError("m", { reason: new urlpool.ProxyError("p", { cause }) });
    const json = JSON.parse(JSON.stringify(error));
    const { errors } = json.cause.cause;
    assert.deepEqual(
      errors.map((one: Error) => one.name),
      ["Error", "NewConnectionError"],
    );
    assert.ok(!JSON.stringify(error).includes("secret"));
  });
});
