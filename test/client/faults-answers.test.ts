/** The fault catalogue, rows about the answer: what a server can get wrong on the wire, and what becomes of it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type HTTPError,
  type HTTPResponse,
  IncompleteRead,
  InvalidChunkLength,
  InvalidHeader,
  ProtocolError,
  ReadTimeoutError,
  type RequestOptions,
} from "../../src/index.ts";
import { ok } from "../kit/answers.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { script, World } from "../kit/world.ts";

const OK = ok("good");
const HEAD = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

/** What the server does after it has read the request. */
type Answer = string | ((connection: OriginConnection) => unknown);

interface Outcome {
  readonly response: HTTPResponse | null;
  readonly error: HTTPError | null;
  /** The connection may serve another request. */
  readonly kept: boolean;
  readonly connections: number;
}

/** One request, on a fresh connection or on one that has served another. Then a third one has to work. */
async function meet(
  fault: Answer,
  reused: boolean,
  method: string,
  options: RequestOptions,
): Promise<Outcome> {
  using world = new World();
  const before = reused ? [OK] : [];
  world.host("a.test", script(...before, fault, OK, OK), script(OK, OK));
  const pool = world.pool("a.test");
  if (reused) await world.run(pool.request("GET", "/before"));
  const request = pool.request(method, "/", { retries: false, timeout: 5000, ...options });
  let response: HTTPResponse | null = null;
  let error: HTTPError | null = null;
  try {
    response = await world.run(request);
  } catch (thrown) {
    error = thrown as HTTPError;
  }
  await world.rest();
  const kept = pool.numIdle === 1;
  const connections = pool.numConnections;
  assert.deepEqual([pool.numBusy, pool.numQueued], [0, 0]);
  assert.equal(String((await world.run(pool.request("GET", "/after"))).data), "good");
  pool.close();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  return { response, error, kept, connections };
}

/** The fault ends in `ErrorClass`, its connection dies, and the facts are right, fresh and reused. */
function fails(
  row: string,
  fault: Answer,
  ErrorClass: new (...args: never[]) => Error,
  phase: string,
  { started = true, message = /./ }: { started?: boolean; message?: RegExp } = {},
): void {
  for (const reused of [false, true]) {
    it(`${row}, ${reused ? "reused" : "fresh"}`, async () => {
      const { error, kept } = await meet(fault, reused, "GET", {});
      assert.ok(error instanceof ErrorClass, String(error));
      assert.match(error.message, message);
      const { phase: where, reused: used, responseStarted, attempt, route, method, url } = error;
      assert.deepEqual(
        { where, used, responseStarted, attempt, route, method, url },
        {
          where: phase,
          used: reused,
          responseStarted: started,
          attempt: 1,
          route: "a.test:80",
          method: "GET",
          url: "http://a.test/",
        },
      );
      assert.ok(error.bytesWritten! > 60 && error.bytesWritten! < 200);
      assert.equal(kept, false);
    });
  }
}

/** The fault is no error: this body is delivered, and the connection kept or not. */
function delivers(row: string, fault: Answer, body: string, kept: boolean, method = "GET"): void {
  for (const reused of [false, true]) {
    it(`${row}, ${reused ? "reused" : "fresh"}`, async () => {
      const outcome = await meet(fault, reused, method, {});
      assert.equal(outcome.error, null);
      assert.equal(String(outcome.response!.data), body);
      assert.equal(outcome.kept, kept);
      assert.equal(outcome.connections, 1);
    });
  }
}

const send =
  (text: string, then: "close" | "reset" | "halfClose") =>
  async (connection: OriginConnection): Promise<void> => {
    await connection.send(text);
    connection[then]();
  };

describe("broken off", () => {
  fails("fault 13: in the status line", send("HTTP/1.", "close"), ProtocolError, "head");
  fails("fault 13: reset in the status line", send("HTTP/1.", "reset"), ProtocolError, "head");
  fails("fault 14: in the header block", send(`${HEAD}Server: x\r\nCont`, "close"), ProtocolError, "head");
  fails("fault 14: before the empty line", send(`${HEAD}Server: x\r\n`, "halfClose"), ProtocolError, "head");
  fails(
    "fault 15: one byte short of Content-Length",
    send(`${HEAD}Content-Length: 5\r\n\r\nfour`, "close"),
    IncompleteRead,
    "body",
    { message: /4 bytes read, 1 more expected/ },
  );
  fails(
    "fault 15: reset in the body",
    send(`${HEAD}Content-Length: 5\r\n\r\nfour`, "reset"),
    ProtocolError,
    "body",
  );
  fails("fault 18: no last chunk", send(`${CHUNKED}4\r\nfour\r\n`, "close"), IncompleteRead, "body");
  fails("fault 18: within a chunk", send(`${CHUNKED}5\r\nfour`, "close"), IncompleteRead, "body");
  fails(
    "fault 18: before the trailers' end",
    send(`${CHUNKED}1\r\nx\r\n0\r\nX: y\r\n`, "close"),
    IncompleteRead,
    "body",
  );
});

describe("framing", () => {
  const length = (value: string, rest = ""): string => `${HEAD}Content-Length: ${value}\r\n${rest}\r\nhello`;
  delivers("fault 16: more body than Content-Length", `${length("5")}!`, "hello", false);
  delivers(
    "fault 17: a body that ends with the connection",
    send(`${HEAD}\r\nhello`, "close"),
    "hello",
    false,
  );
  delivers("fault 19: the same length twice, 5, 5", length("5, 5"), "hello", true);
  delivers("fault 19: the same length on two lines", length("5", "Content-Length: 5\r\n"), "hello", true);
  for (const bad of ["-5", "+5", "0x5", "5_0", "5 5", "", "99999999999999999999", "\u0661"]) {
    fails(`fault 19: Content-Length ${JSON.stringify(bad)}`, length(bad), ProtocolError, "head");
  }
  for (const differing of ["5, 6", "5,"]) {
    fails(`fault 19: Content-Length "${differing}"`, length(differing), InvalidHeader, "head");
  }
  fails("fault 19: two lengths", length("5", "Content-Length: 6\r\n"), InvalidHeader, "head");
  fails("fault 19: length and chunked", length("5", "Transfer-Encoding: chunked\r\n"), ProtocolError, "head");
  fails("fault 19: unknown coding", `${HEAD}Transfer-Encoding: zip, chunked\r\n\r\n`, ProtocolError, "head");

  const chunks: [string, string][] = [
    ["no size", `${CHUNKED}\r\nx`],
    ["0x", `${CHUNKED}0x1\r\nx\r\n0\r\n\r\n`],
    ["a sign", `${CHUNKED}+1\r\nx\r\n0\r\n\r\n`],
    ["an underscore", `${CHUNKED}1_0\r\nx\r\n0\r\n\r\n`],
    ["letters", `${CHUNKED}xyz\r\n`],
    ["beyond 2^53", `${CHUNKED}20000000000000\r\n`],
    ["a space in front", `${CHUNKED} 1\r\nx\r\n0\r\n\r\n`],
  ];
  for (const [name, text] of chunks) fails(`fault 18: chunk size, ${name}`, text, InvalidChunkLength, "body");
  fails("fault 18: no CRLF behind a chunk", `${CHUNKED}1\r\nxy\r\n0\r\n\r\n`, ProtocolError, "body");
  fails("fault 18: LF alone", `${CHUNKED}1\nx\n0\n\n`, ProtocolError, "body");
  fails("fault 18: an extension of 1 MB", `${CHUNKED}1;${"x".repeat(1_000_000)}`, ProtocolError, "body");
  delivers("fault 18: an extension", `${CHUNKED}1;a="b;c"\r\nx\r\n0\r\n\r\n`, "x", true);
});

describe("heads", () => {
  const lines = (count: number): string => Array.from({ length: count }, (_, i) => `X-${i}: y\r\n`).join("");
  fails("fault 23: a line of 1 MB", `${HEAD}X: ${"x".repeat(1_000_000)}`, ProtocolError, "head", {
    message: /65536/,
  });
  fails("fault 23: 10,000 fields", `${HEAD}${lines(10_000)}\r\n`, ProtocolError, "head", {
    message: /65536/,
  });
  fails("fault 22: 103 for ever", "HTTP/1.1 103 Early\r\n\r\n".repeat(4000), ProtocolError, "head", {
    message: /65536/,
  });
  delivers("fault 22: some 103", `${"HTTP/1.1 103 Early\r\n\r\n".repeat(20)}${OK}`, "good", true);
  delivers("fault 28: 100 though not asked", `HTTP/1.1 100 Continue\r\n\r\n${OK}`, "good", true);
  delivers("fault 28: 100 after the answer", `${OK}HTTP/1.1 100 Continue\r\n\r\n`, "good", false);

  delivers("fault 42: HTTP/1.0", `HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok`, "ok", false);
  delivers(
    "fault 42: HTTP/1.0 with keep-alive",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "ok",
    true,
  );
  delivers("fault 42: a folded line", `${HEAD}X: a\r\n b\r\nContent-Length: 4\r\n\r\ngood`, "good", true);
  delivers("fault 42: no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok", true);
  for (const [name, text] of [
    ["HTTP/0.9", "<html>hello</html>\r\n\r\n"],
    ["ICY", "ICY 200 OK\r\n\r\n"],
    ["garbage", "\x00\xff\x80garbage\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["an SSH server", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["a TLS alert", "\x15\x03\x01\x00\x02\x02\x46"],
    ["a space before the colon", `${HEAD}Content-Length : 4\r\n\r\ngood`],
  ] as const) {
    fails(`fault 42: ${name}`, text, ProtocolError, "head");
  }
});

describe("answers without a body", () => {
  const NO_CONTENT = "HTTP/1.1 204 No Content\r\n";
  delivers("fault 41: 204", `${NO_CONTENT}\r\n`, "", true);
  delivers("fault 41: 204 with a length", `${NO_CONTENT}Content-Length: 5\r\n\r\n`, "", true);
  delivers("fault 41: 204 with a body", `${NO_CONTENT}Content-Length: 5\r\n\r\nhello`, "", false);
  delivers("fault 41: 304 with a length", "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", "", true);
  delivers("fault 41: HEAD", `${HEAD}Content-Length: 5\r\n\r\n`, "", true, "HEAD");
  delivers("fault 41: HEAD, chunked", CHUNKED, "", true, "HEAD");
  delivers("fault 41: HEAD with a body", `${HEAD}Content-Length: 5\r\n\r\nhello`, "", false, "HEAD");
});

describe("bytes that nobody asked for", () => {
  delivers("fault 25: glued to the answer", `${OK}${ok("evil")}`, "good", false);
  delivers(
    "fault 24: right after the answer",
    async (connection) => {
      await connection.send(OK);
      await connection.send(ok("evil"));
    },
    "good",
    false,
  );
  delivers(
    "fault 24: 408 on an idle connection",
    async (connection) => {
      await connection.send(OK);
      await connection.send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
      connection.halfClose();
    },
    "good",
    false,
  );
});

describe("silence", () => {
  const quiet = { message: /Read timed out\. \(read timeout=5000 ms\)/ };
  fails("fault 10: a peer that is gone without a word", "", ReadTimeoutError, "head", {
    ...quiet,
    started: false,
  });
  fails(
    "fault 21: a body that stops",
    `${HEAD}Content-Length: 9\r\n\r\nabc`,
    ReadTimeoutError,
    "body",
    quiet,
  );
});
