/** Bodies that are read into memory of the caller's. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import {
  BufferTooSmallError,
  HTTPConnectionPool,
  IncompleteRead,
  MaxRetryError,
  PoolManager,
  type RequestOptions,
  Retry,
} from "../../src/index.ts";
import { startFrames, wholeAnswer } from "../kit/h2-service.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

/** Bytes that no two places of have alike by chance. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_unused, i) => (i * 31 + (i >> 8)) & 255));
}

const SIZES = [0, 1, 100, 16_383, 16_384, 65_536, 65_537, 300_000];
const HEAD = "HTTP/1.1 200 OK\r\n";

/** Whether `data` is the beginning of `into`, not a copy of it. */
function assertIn(into: Buffer, data: Buffer, body: Uint8Array): void {
  assert.ok(data.equals(body), `${data.length} of ${body.length} bytes, or others`);
  assert.equal(data.buffer, into.buffer);
  assert.equal(data.byteOffset, into.byteOffset);
}

describe("into", () => {
  it("takes bodies of every size and framing in place, and leaves what is behind them alone", async () => {
    await using origin = await startHttp(({ target }) => {
      const [, framing, size] = target.split("/");
      const body = pattern(Number(size));
      if (framing === "chunked") return { body, chunked: 10_000 };
      return framing === "close" ? { body, contentLength: null, close: true } : { body };
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const framing of ["length", "chunked", "close"]) {
      for (const size of SIZES) {
        for (const spare of [0, 1, 5000]) {
          const memory = Buffer.alloc(size + spare + 6, 0xee);
          const into = memory.subarray(3, size + spare + 3);
          const { data } = await pool.request("GET", `/${framing}/${size}`, { into });
          assertIn(into, data, pattern(size));
          assert.ok(memory.subarray(0, 3).every((byte) => byte === 0xee));
          assert.ok(
            memory.subarray(size + 3).every((byte) => byte === 0xee),
            `${framing} ${size} ${spare}`,
          );
        }
      }
    }
  });

  it("takes every kind of memory", async () => {
    await using origin = await startHttp(() => ({ body: pattern(100_000) }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const kinds = [
      new ArrayBuffer(100_008),
      new SharedArrayBuffer(100_008),
      new Float64Array(12_501),
      new DataView(new ArrayBuffer(100_016), 8),
      new Uint16Array(new SharedArrayBuffer(100_008)),
      Buffer.allocUnsafe(100_000),
    ];
    for (const into of kinds) {
      const { data } = await pool.request("GET", "/", { into });
      const view = ArrayBuffer.isView(into) ? into : new Uint8Array(into);
      assertIn(Buffer.from(view.buffer, view.byteOffset), data, pattern(100_000));
    }
  });

  it("small memory out of Node's pool is used like any other", async () => {
    await using origin = await startHttp(({ target }) => ({
      body: target === "/gzip" ? gzipSync("small") : "small",
      headers: target === "/gzip" ? { "Content-Encoding": "gzip" } : {},
    }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const target of ["/", "/gzip"]) {
      const into = Buffer.allocUnsafe(7);
      assertIn(into, (await pool.request("GET", target, { into })).data, Buffer.from("small"));
    }
  });

  it("bodies under content codings are decoded into it", async () => {
    const codings = {
      gzip: gzipSync,
      br: (data: Buffer) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
    };
    await using origin = await startHttp(({ target }) => {
      const [, coding, size] = target.split("/") as [string, keyof typeof codings, string];
      return { body: codings[coding](pattern(Number(size))), headers: { "Content-Encoding": coding } };
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const coding of Object.keys(codings)) {
      for (const size of [...SIZES, 3_000_000]) {
        const into = Buffer.alloc(size);
        const response = await pool.request("GET", `/${coding}/${size}`, { into });
        assertIn(into, response.data, pattern(size));
        if (size === 0) continue;
        const small = Buffer.alloc(size - 1);
        await assert.rejects(pool.request("GET", `/${coding}/${size}`, { into: small }), BufferTooSmallError);
        const grown = await pool.request("GET", `/${coding}/${size}`, { into: small, intoGrows: true });
        assert.ok(grown.data.equals(pattern(size)));
        assert.notEqual(grown.data.buffer, small.buffer);
      }
    }
    const raw = Buffer.alloc(1000);
    const { data } = await pool.request("GET", "/gzip/100", { into: raw, decodeContent: false });
    assertIn(raw, data, gzipSync(pattern(100)));
  });

  it("over HTTP/2 too, alone and with others", async () => {
    await using server = await startFrames((path, id) => {
      const [, framing, size] = path.split("/");
      return wholeAnswer(id, pattern(Number(size)), framing === "length");
    });
    const { port } = server;
    await using manager = new PoolManager({ http2: "prior-knowledge" });
    const one = async (framing: string, size: number): Promise<void> => {
      const into = Buffer.alloc(size + 10, 0xee);
      const { data } = await manager.request("GET", `http://127.0.0.1:${port}/${framing}/${size}`, {
        into,
      });
      assertIn(into, data, pattern(size));
      assert.ok(into.subarray(size).every((byte) => byte === 0xee));
      const url = `http://127.0.0.1:${port}/${framing}/${size + 1}`;
      await assert.rejects(manager.request("GET", url, { into: into.subarray(0, size) }), {
        name: "BufferTooSmallError",
        room: size,
      });
    };
    for (const size of SIZES) await one("length", size);
    await Promise.all(SIZES.flatMap((size) => [one("length", size), one("unknown", size)]));
  });

  it("is as empty as the answer: HEAD, 204, and a length of 0", async () => {
    await using origin = await startHttp(({ target, method }) => ({
      status: target === "/204" ? 204 : 200,
      ...(method === "HEAD" && { contentLength: 100_000 }),
    }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const [method, target, room] of [
      ["HEAD", "/", 10],
      ["GET", "/204", 10],
      ["GET", "/", 10],
      ["GET", "/", 0],
    ] as const) {
      const into = Buffer.alloc(room, 0xee);
      const { data } = await pool.request(method, target, { into });
      assert.equal(data.length, 0);
      assert.equal(data.buffer, into.buffer);
      assert.ok(into.every((byte) => byte === 0xee));
    }
    assert.equal(origin.accepted, 1);
  });

  it("what reads a response reads it: text, json, bytes, readInto", async () => {
    await using origin = await startHttp(() => ({ body: '{"a":[1,2]}' }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", { into: new Uint8Array(50) });
    assert.equal(await response.text(), '{"a":[1,2]}');
    assert.deepEqual(await response.json(), { a: [1, 2] });
    const copy = await response.bytes();
    assert.notEqual(copy.buffer, response.data.buffer);
    const target = new Uint8Array(4);
    assert.equal(await response.readInto(target), 4);
    assert.equal(String(Buffer.from(target)), '{"a"');
  });
});

describe("a body that does not fit", () => {
  it("is refused at the head where its length is known; little of it is drained, and the connection lives", async () => {
    await using origin = await startHttp(() => ({ body: pattern(101) }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const into = Buffer.alloc(100, 0xee);
    await assert.rejects(pool.request("GET", "/a", { into }), {
      name: "BufferTooSmallError",
      code: "ERR_URLPOOL_BUFFER_TOO_SMALL",
      room: 100,
      length: 101,
      method: "GET",
      phase: "body",
      message: `GET ${origin.url}/a: The body of 101 bytes does not fit into the 100 bytes given as \`into\`. Give more, or set intoGrows: true`,
    });
    assert.ok(
      into.every((byte) => byte === 0xee),
      "nothing was written",
    );
    assert.equal((await pool.request("GET", "/")).data.length, 101);
    assert.equal(origin.accepted, 1);
    assert.equal(origin.requests.length, 2, "it was not tried again");
  });

  it("else at the byte that is too much, though the server goes on for ever", async () => {
    for (const head of ["Transfer-Encoding: chunked\r\n\r\n", "\r\n"]) {
      const piece = head === "\r\n" ? "x".repeat(10) : `A\r\n${"x".repeat(10)}\r\n`;
      await using origin = await startOrigin(async (connection) => {
        await connection.readHead();
        await connection.send(`${HEAD}${head}`);
        while (!connection.socket.destroyed) {
          await connection.send(piece);
          await turn();
        }
      });
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const memory = Buffer.alloc(110, 0xee);
      await assert.rejects(pool.request("GET", "/", { into: memory.subarray(0, 105) }), {
        name: "BufferTooSmallError",
        room: 105,
        length: undefined,
      });
      await sleep(20);
      assert.equal(String(memory), `${"x".repeat(105)}${"\xee".repeat(5)}`.replaceAll("\xee", "\ufffd"));
    }
  });

  it("grows where that is wished: data is memory of its own then", async () => {
    await using origin = await startHttp(({ target }) => ({
      body: pattern(200_000),
      ...(target === "/chunked" && { chunked: 999 }),
    }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const target of ["/", "/chunked"]) {
      for (const room of [0, 1, 5000, 199_999, 200_000]) {
        const into = Buffer.alloc(room);
        const { data } = await pool.request("GET", target, { into, intoGrows: true });
        assert.ok(data.equals(pattern(200_000)), `${target} ${room}`);
        assert.equal(data.buffer === into.buffer, room === 200_000);
      }
    }
  });

  it("maxDecodedSize holds beside it: the smaller one counts", async () => {
    await using origin = await startHttp(({ target }) => {
      const gzip = target === "/gzip";
      return {
        body: gzip ? gzipSync(pattern(1000)) : pattern(1000),
        ...(target === "/chunked" && { chunked: 100 }),
        ...(gzip && { headers: { "Content-Encoding": "gzip" } }),
      };
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const into = new Uint8Array(900);
    for (const target of ["/", "/chunked", "/gzip"]) {
      const answers = [
        [{ into, maxDecodedSize: 800 }, target === "/" ? "BufferTooSmallError" : "DecodeError"],
        [{ into, maxDecodedSize: 950 }, "BufferTooSmallError"],
        [{ into, maxDecodedSize: 950, intoGrows: true }, "DecodeError"],
      ] as const;
      for (const [options, name] of answers)
        await assert.rejects(pool.request("GET", target, options), { name });
    }
  });
});

describe("which answer goes into it", () => {
  it("each attempt begins at its start", async () => {
    await using origin = await startOrigin([`${HEAD}Content-Length: 100\r\n\r\n${"a".repeat(50)}`]);
    let tries = 0;
    await using second = await startOrigin(async (connection) => {
      await connection.readHead();
      if (++tries === 1) await connection.send(`${HEAD}Content-Length: 50000\r\n\r\n${"a".repeat(40_000)}`);
      else await connection.send(`${HEAD}Content-Length: 3\r\n\r\nend`);
      connection.socket.end();
    });
    const into = Buffer.alloc(60_000);
    using broken = new HTTPConnectionPool("127.0.0.1", origin.port);
    await assert.rejects(broken.request("GET", "/", { into, retries: false }), IncompleteRead);
    using pool = new HTTPConnectionPool("127.0.0.1", second.port);
    assertIn(into, (await pool.request("GET", "/", { into, retries: 1 })).data, Buffer.from("end"));
    assert.equal(tries, 2);
  });

  it("redirects and answers that are tried again are not; the last one is, whatever its status", async () => {
    let asked = 0;
    await using origin = await startHttp(({ target }) => {
      if (target === "/there") return { body: "there" };
      if (target === "/503" && ++asked % 2 === 0) return { body: "at last" };
      return {
        status: Number(target.slice(1, 4)),
        body: "x".repeat(20_000),
        headers: { Location: "/there" },
      };
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const retries = new Retry({ total: 3, statusForcelist: [503] });
    for (const [target, text] of [
      ["/302", "there"],
      ["/503", "at last"],
    ] as const) {
      const into = Buffer.alloc(20, 0xee);
      assertIn(into, (await pool.request("GET", target, { into, retries })).data, Buffer.from(text));
      assert.ok(into.subarray(text.length).every((byte) => byte === 0xee));
    }
    const into = Buffer.alloc(30_000, 0xee);
    for (const [target, options] of [
      ["/404", {}],
      ["/302", { redirect: false }],
      ["/500", { retries: new Retry({ total: 0, statusForcelist: [500], raiseOnStatus: false }) }],
    ] as [string, RequestOptions][]) {
      const { data } = await pool.request("GET", target, { into, ...options });
      assertIn(into, data, Buffer.alloc(20_000, "x"));
      const small = { into: into.subarray(0, 19_999), ...options };
      await assert.rejects(pool.request("GET", target, small), { name: "BufferTooSmallError" });
      const grown = await pool.request("GET", target, { ...small, intoGrows: true });
      assert.notEqual(grown.data.buffer, into.buffer);
      assert.equal(grown.data.length, 20_000);
    }
  });

  it("the answer of an error has memory of its own", async () => {
    await using origin = await startHttp(() => ({ status: 503, body: "busy" }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const into = Buffer.alloc(20, 0xee);
    const retries = new Retry({ total: 1, statusForcelist: [503] });
    await assert.rejects(pool.request("GET", "/", { into, retries }), (error) => {
      assert.ok(error instanceof MaxRetryError);
      assert.equal(String(error.response?.data), "busy");
      return true;
    });
    assert.ok(into.every((byte) => byte === 0xee));
  });
});

describe("when the request is over, nothing writes into it any more", () => {
  const ENDS: Record<string, (options: RequestOptions) => () => void> = {
    "an abort": (options) => {
      const controller = new AbortController();
      options.signal = controller.signal;
      return () => controller.abort(new Error("enough"));
    },
    "a deadline": (options) => {
      options.deadline = 150;
      return () => {};
    },
    "a read timeout": (options) => {
      options.timeout = 100;
      return () => {};
    },
  };
  for (const [name, arm] of Object.entries(ENDS)) {
    it(name, async () => {
      let more: () => void = () => {};
      await using origin = await startOrigin(async (connection) => {
        await connection.readHead();
        await connection.send(`${HEAD}Content-Length: 1000000\r\n\r\n`);
        await connection.send(Buffer.alloc(100_000, "a"));
        await new Promise<void>((resolve) => {
          more = resolve;
        });
        await connection.send(Buffer.alloc(500_000, "b")).catch(() => {});
      });
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const into = Buffer.alloc(1_000_000);
      const options: RequestOptions = { into, retries: false };
      const end = arm(options);
      const request = pool.request("GET", "/", options);
      const failed = assert.rejects(request);
      while (into[99_999] !== 97) await sleep(2);
      end();
      await failed;
      into.fill("z");
      more();
      await sleep(50);
      assert.ok(into.every((byte) => byte === 122));
    });
  }

  it("the end of the body: the next answer on the same connection goes elsewhere", async () => {
    await using origin = await startHttp(({ target }) => ({ body: Buffer.alloc(200_000, target.slice(1)) }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    const into = Buffer.alloc(300_000);
    await pool.request("GET", "/a", { into });
    into.fill("z");
    assert.ok((await pool.request("GET", "/b")).data.every((byte) => byte === 98));
    const streamed = await pool.request("GET", "/c", { preloadContent: false });
    assert.equal((await streamed.bytes()).length, 200_000);
    assert.equal(origin.accepted, 1);
    assert.ok(into.every((byte) => byte === 122));
  });
});

describe("memory that cannot be written to", () => {
  const WRONG: [value: unknown, message: RegExp][] = [
    ["text", /into must be a Uint8Array or another view, .*, not a string/],
    [5, /not a number/],
    [true, /not a boolean/],
    [{}, /not an object/],
    [[1, 2], /not an array of 2/],
    [Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]), /fixed length: its buffer is resizable/],
    [new Uint8Array(Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }])), /fixed length/],
    [Reflect.construct(SharedArrayBuffer, [8, { maxByteLength: 16 }]), /fixed length/],
    [detached(new Uint8Array(8)), /into is detached/],
    [detached(new Uint8Array(8)).buffer, /into is detached/],
  ];
  it("is refused at the call", async () => {
    using pool = new HTTPConnectionPool("127.0.0.1", 1);
    for (const [into, message] of WRONG) {
      await assert.rejects(pool.request("GET", "/", { into } as RequestOptions), {
        name: "InvalidArgumentError",
        code: "ERR_URLPOOL_INVALID_ARGUMENT",
        message,
      });
    }
    assert.equal(pool.numRequests, 0);
  });

  it("is refused for streamed bodies, whoever asked for those, with advice", async () => {
    const message = /preloadContent: false: a streamed body is read by response\.readInto\(buffer\)/;
    using streaming = new HTTPConnectionPool("127.0.0.1", 1, { preloadContent: false });
    using pool = new HTTPConnectionPool("127.0.0.1", 1);
    const into = new Uint8Array(8);
    await assert.rejects(streaming.request("GET", "/", { into }), { name: "InvalidArgumentError", message });
    const options = { into, preloadContent: false };
    await assert.rejects(pool.request("GET", "/", options), { name: "InvalidArgumentError", message });
    await assert.rejects(streaming.request("GET", "/", { into, preloadContent: true, retries: false }), {
      name: "NewConnectionError",
    });
  });

  it("null and undefined are no memory", async () => {
    await using origin = await startHttp(() => "ok");
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const into of [null, undefined]) {
      assert.equal(String((await pool.request("GET", "/", { into, intoGrows: null })).data), "ok");
    }
  });

  it("memory that is transferred on the way ends the request, and nothing else", async () => {
    for (const head of [`${HEAD}Content-Length: 300000\r\n\r\n`, `${HEAD}\r\n`]) {
      let more: () => void = () => {};
      await using origin = await startOrigin(async (connection) => {
        await connection.readHead();
        await connection.send(head);
        await connection.send(Buffer.alloc(100_000, "a"));
        await new Promise<void>((resolve) => {
          more = resolve;
        });
        await connection.send(Buffer.alloc(200_000, "b"));
        connection.socket.end();
      });
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const into = new Uint8Array(400_000);
      const request = pool.request("GET", "/", { into, retries: false });
      const failed = assert.rejects(request, { name: "InvalidArgumentError", message: /into was detached/ });
      while (into[99_999] !== 97) await sleep(2);
      // Who transfers memory keeps it.
      const kept = structuredClone(into, { transfer: [into.buffer] });
      more();
      await failed;
      assert.equal(kept[0], 97);
    }
  });
});

function detached(view: Uint8Array<ArrayBuffer>): Uint8Array {
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}
