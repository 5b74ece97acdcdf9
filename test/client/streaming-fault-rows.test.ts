/** Rows 13 to 18, 41 and 43 of the catalogue of faults: bodies that are not what they claim, preloaded and streamed. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib";
import {
  DecodeError,
  HTTPConnectionPool,
  HTTPError,
  type HTTPResponse,
  IncompleteRead,
  InvalidChunkLength,
  ProtocolError,
  type RequestOptions,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { World } from "../kit/world.ts";

leakGate();

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const MODES: [name: string, options: RequestOptions][] = [
  ["preloaded", {}],
  ["streamed", { preloadContent: false }],
];

/** The body of one answer, after which the server closes; both ways of having it fail or succeed alike. */
async function body(
  answer: string | Uint8Array,
  options: RequestOptions,
): Promise<[Buffer, HTTPConnectionPool]> {
  await using origin = await startOrigin([answer]);
  using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
  try {
    const response = await pool.request("GET", "/x", options);
    return [Buffer.from(await response.bytes()), pool];
  } finally {
    assert.equal(origin.requests.length, 1);
    assert.equal(pool.numBusy, 0);
  }
}

async function fails(answer: string | Uint8Array, options: RequestOptions): Promise<HTTPError> {
  const error = await body(answer, options).then(
    () => assert.fail("resolved instead of rejecting"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HTTPError, String(error));
  assert.match(error.message, /^GET http:\/\/127\.0\.0\.1:\d+\/x: /);
  return error;
}

for (const [mode, options] of MODES) {
  describe(mode, () => {
    it("fault 13: closed in the status line: ProtocolError, and nothing is tried again silently", async () => {
      for (const cut of ["H", "HTTP/1.", "HTTP/1.1 20", "HTTP/1.1 200 OK"]) {
        using world = new World();
        world.host("a", async (connection) => {
          await connection.readHead();
          await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
          await connection.readHead();
          await connection.send(cut);
          connection.halfClose();
        });
        const pool = world.pool("a", { retries: false });
        await world.run(pool.request("GET", "/"));
        // A reused connection: without the first byte of an answer it would be sent again.
        const error = await world.failure(pool.request("GET", "/x", options));
        assert.ok(error instanceof ProtocolError);
        assert.deepEqual([error.phase, error.responseStarted, world.connections.length], ["head", true, 1]);
        pool.close();
        assert.deepEqual(world.leftovers(), []);
      }
    });

    it("fault 14: closed in the header fields", async () => {
      for (const cut of [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\nC",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r",
      ]) {
        const error = await fails(cut, options);
        assert.ok(error instanceof ProtocolError);
        assert.equal(error.phase, "head");
      }
    });

    it("fault 15: a body shorter than its length, by any number of bytes: IncompleteRead with figures", async () => {
      for (const [got, length] of [
        [0, 1],
        [9, 10],
        [3, 1_000_000_000_000],
      ] as const) {
        const error = await fails(
          `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(got)}`,
          options,
        );
        assert.ok(error instanceof IncompleteRead);
        assert.deepEqual([error.partial, error.expected], [got, length - got]);
      }
    });

    it("fault 16: more than the length: the body is as long as it said, the connection destroyed", async () => {
      for (const extra of ["!", `HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`]) {
        await using origin = await startOrigin(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc${extra}`);
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
        for (let round = 1; round <= 2; round++) {
          assert.equal(await (await pool.request("GET", "/", options)).text(), "abc");
          assert.deepEqual([pool.numIdle, pool.numBusy, origin.accepted], [0, 0, round]);
        }
      }
    });

    it("fault 17: delimited by the close: complete, the connection gone", async () => {
      for (const head of [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n",
      ]) {
        const [bytes, pool] = await body(`${head}all there is`, options);
        assert.deepEqual([String(bytes), pool.numIdle], ["all there is", 0]);
      }
    });

    const chunkFaults: [name: string, chunks: string, kind: new (...args: never[]) => HTTPError][] = [
      ["letters", "xyz\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["empty", "\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["0x", "0x3\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["plus", "+3\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["minus", "-3\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["underscore", "1_0\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["space before", " 3\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["above 2^53", "20000000000001\r\nabc\r\n0\r\n\r\n", InvalidChunkLength],
      ["sixty-four digits", `${"f".repeat(64)}\r\nabc\r\n0\r\n\r\n`, InvalidChunkLength],
      ["no CRLF after the chunk", "3\r\nabc0\r\n\r\n", ProtocolError],
      ["LF only", "3\nabc\n0\n\n", ProtocolError],
      ["LF after the chunk", "3\r\nabc\n0\r\n\r\n", ProtocolError],
      ["an extension of 1 MB", `3;${"x".repeat(1_000_000)}\r\nabc\r\n0\r\n\r\n`, ProtocolError],
      ["extensions without end", "1;x\r\na\r\n".repeat(200_000), ProtocolError],
      ["no last chunk", "3\r\nabc\r\n", IncompleteRead],
      ["a trailer that is none", "3\r\nabc\r\n0\r\nno colon\r\n\r\n", ProtocolError],
    ];
    for (const [name, chunks, kind] of chunkFaults) {
      it(`fault 18: chunk size: ${name}: ${kind.name}, the connection dead`, async () => {
        const error = await fails(CHUNKED + chunks, options);
        assert.ok(error instanceof kind, `${error.name}: ${error.message.slice(0, 200)}`);
      });
    }

    it("fault 41: HEAD, 204 and 304 have no body, whatever their fields say; stray bytes are the end", async () => {
      const cases: [method: string, status: string, fields: string][] = [
        ["HEAD", "200 OK", "Content-Length: 5"],
        ["HEAD", "200 OK", "Transfer-Encoding: chunked"],
        ["GET", "204 No Content", "Content-Length: 5"],
        ["GET", "304 Not Modified", "Content-Length: 5"],
        ["GET", "304 Not Modified", "Transfer-Encoding: chunked"],
      ];
      for (const [method, status, fields] of cases) {
        for (const stray of ["", "stray"]) {
          await using origin = await startOrigin(`HTTP/1.1 ${status}\r\n${fields}\r\n\r\n${stray}`);
          using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
          for (let round = 1; round <= 2; round++) {
            const response = await pool.request(method, "/", options);
            assert.equal(await response.text(), "");
            assert.equal(response.isClosed, true);
          }
          assert.equal(origin.accepted, stray === "" ? 1 : 2, `${method} ${status} ${fields} ${stray}`);
        }
      }
    });

    const text = "Hello, compressed world. ".repeat(2000);
    const labels: [coding: string, encode: (data: string) => Buffer][] = [
      ["gzip", gzipSync],
      ["deflate", deflateSync],
      ["br", (data) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })],
    ];
    for (const [coding, encode] of labels) {
      it(`fault 43: ${coding} cut short: DecodeError; with garbage behind it: the text`, async () => {
        const headers = { "Content-Encoding": coding };
        const whole = encode(text);
        let sent = whole.subarray(0, -1);
        await using origin = await startHttp(() => ({ body: sent, headers }));
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
        const get = async (): Promise<string> => (await pool.request("GET", "/", options)).text();
        await assert.rejects(get(), DecodeError);
        sent = Buffer.concat([whole, Buffer.from("garbage")]);
        assert.equal(await get(), text);
        sent = Buffer.from(text);
        await assert.rejects(get(), DecodeError, "a wrong label");
      });

      it(`fault 43: a bomb of 1000 to 1 in ${coding}: maxDecodedSize stops it`, async () => {
        const bomb = encode("\0".repeat(30_000_000));
        assert.ok(bomb.length < 40_000, `${bomb.length} bytes`);
        await using origin = await startHttp(() => ({ body: bomb, headers: { "Content-Encoding": coding } }));
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxDecodedSize: 1_000_000 });
        const before = process.memoryUsage().arrayBuffers;
        const reading = (async () => (await pool.request("GET", "/", options)).bytes())();
        await assert.rejects(reading, { name: "DecodeError", message: /maxDecodedSize/ });
        assert.ok(process.memoryUsage().arrayBuffers - before < 10e6);
      });
    }

    it("maxDecodedSize stops a plain body too, before it has come", async () => {
      using world = new World();
      world.host("a", async (connection) => {
        await connection.readHead();
        await connection.send(`${CHUNKED}${`400\r\n${"x".repeat(1024)}\r\n`.repeat(20)}`);
        // And never an end.
      });
      const pool = world.pool("a", { maxDecodedSize: 10_000, retries: false });
      const reading = (async () => (await pool.request("GET", "/", options)).bytes())();
      const error = await world.failure(reading);
      assert.ok(error instanceof DecodeError);
      assert.match(error.message, /maxDecodedSize/);
      assert.equal(pool.numBusy, 0);
      pool.close();
      assert.deepEqual(world.leftovers(), []);
    });

    it("codings that cannot be undone: DecodeError; the connection is kept if little of the body is left", async () => {
      for (const [coding, length, accepted] of [
        ["rot13, gzip", 100_000, 1],
        ["gzip, gzip, gzip, gzip, gzip, gzip", 100_000, 1],
        ["rot13, gzip", 3_000_000, 3],
      ] as const) {
        const spec = { body: Buffer.alloc(length), headers: { "Content-Encoding": coding } };
        await using origin = await startHttp(({ target }) => (target === "/" ? spec : "fine"));
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
        for (let round = 0; round < 2; round++)
          await assert.rejects(async () => (await pool.request("GET", "/", options)).bytes(), DecodeError);
        const response: HTTPResponse = await pool.request("GET", "/fine");
        assert.deepEqual([await response.text(), origin.accepted], ["fine", accepted]);
      }
    });
  });
}

describe("fault 13, reset instead of closed", () => {
  it("is the same", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.");
      connection.reset();
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
    await assert.rejects(pool.request("GET", "/"), ProtocolError);
    assert.deepEqual([origin.requests.length, pool.numBusy], [1, 0]);
  });
});
