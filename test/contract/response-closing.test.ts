/** When a response counts as closed, and what reading it in another way then gives. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  BodyUsedError,
  HTTPConnectionPool,
  HTTPResponse,
  IncompleteRead,
  ResponseNotChunked,
} from "../../src/index.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type OriginScript, startOrigin } from "../kit/origin.ts";

leakGate();

const STREAMED = { preloadContent: false } as const;
const HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n";

async function get(
  script: OriginScript,
  use: (response: HTTPResponse, url: string) => Promise<void>,
  options: { preloadContent?: boolean } = STREAMED,
): Promise<void> {
  await using origin = await startOrigin(script);
  using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
  await use(await pool.request("GET", "/", options), `${origin.url}/`);
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<string[]> {
  const texts: string[] = [];
  for await (const piece of pieces) texts.push(String(Buffer.from(piece)));
  return texts;
}

/** Reads as one does who knows urllib3: until the response is closed. */
async function readUntilClosed(response: HTTPResponse, amount: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  while (!response.isClosed) parts.push(await response.read(amount));
  return Buffer.concat(parts);
}

describe("isClosed", () => {
  for (const [name, script, text] of [
    ["with a length", HELLO, "hello"],
    ["chunked", CHUNKS, "helloyou"],
    ["until the connection ends", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", "hello"],
  ] as const) {
    it(`${name}: false until all was read, however early all has come`, () =>
      get(name.startsWith("until") ? [script] : script, async (response) => {
        assert.equal(response.isClosed, false);
        assert.equal((await response.read(0)).length, 0);
        assert.equal(response.isClosed, false);
        assert.equal(String(await readUntilClosed(response, 2)), text);
        assert.equal((await response.read()).length, 0);
      }));
  }

  it("true at once where the last of a known length was read", () =>
    get(HELLO, async (response) => {
      await response.read(5);
      assert.equal(response.isClosed, true);
    }));

  it("a compressed body is read to its end, though all of it came long before", () => {
    const text = "a".repeat(300_000);
    const body = gzipSync(text);
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
    return get(Buffer.concat([Buffer.from(head), body]), async (response) => {
      assert.equal(String(await readUntilClosed(response, 100_000)), text);
    });
  });

  it("a body that broke off stays open until its reader knows", () =>
    get(["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel"], async (response) => {
      assert.equal(String(await response.read(3)), "hel");
      await assert.rejects(readUntilClosed(response, 3), IncompleteRead);
      assert.equal(response.isClosed, true);
    }));

  it("true once the response was closed or drained unread", async () => {
    await get(HELLO, async (response) => {
      response.close();
      assert.equal(response.isClosed, true);
      assert.equal((await response.read()).length, 0);
    });
    await get(HELLO, async (response) => {
      await response.drainConn();
      assert.equal(response.isClosed, true);
    });
  });

  it("true of a preloaded one, before and while it is read", () =>
    get(
      HELLO,
      async (response) => {
        assert.equal(response.isClosed, true);
        assert.equal(String(await response.read(2)), "he");
        assert.equal(response.isClosed, true);
      },
      {},
    ));
});

describe("readChunked", () => {
  it("of a preloaded chunked body gives it as one chunk", () =>
    get(
      CHUNKS,
      async (response) => {
        assert.deepEqual(await collect(response.readChunked()), ["helloyou"]);
        assert.deepEqual(await collect(response.readChunked()), []);
      },
      {},
    ));

  it("after the body was read or closed gives nothing", async () => {
    await get(CHUNKS, async (response) => {
      await response.read();
      assert.deepEqual(await collect(response.readChunked()), []);
    });
    await get(CHUNKS, async (response) => {
      response.close();
      assert.deepEqual(await collect(response.readChunked(2)), []);
    });
  });

  it("of a body that is not chunked names the request, and leaves the body to be read", () =>
    get(HELLO, async (response, url) => {
      await assert.rejects(collect(response.readChunked()), (error) => {
        assert.ok(error instanceof ResponseNotChunked);
        assert.ok(error.message.startsWith(`GET ${url}: `), error.message);
        return true;
      });
      assert.equal(await response.text(), "hello");
    }));

  it("of a response made by hand goes by its fields", async () => {
    const chunked = new HTTPResponse({ body: "x", headers: { "Transfer-Encoding": "gzip, Chunked" } });
    assert.deepEqual(await collect(chunked.readChunked()), ["x"]);
    await assert.rejects(collect(new HTTPResponse({ body: "x" }).readChunked()), ResponseNotChunked);
  });
});

describe("reading in ways that exclude each other", () => {
  const misuses: [name: string, misuse: (response: HTTPResponse) => Promise<unknown>][] = [
    ["the whole body twice", async (response) => [await response.text(), await response.text()]],
    ["two reads at a time", (response) => Promise.all([response.read(1), response.read(1)])],
    [
      "raw after decoded",
      async (response) => [await response.read(1), await response.read(1, { decodeContent: false })],
    ],
  ];
  for (const [name, misuse] of misuses) {
    it(`${name}: BodyUsedError that names the request`, () =>
      get(HELLO, async (response, url) => {
        await assert.rejects(misuse(response), (error) => {
          assert.ok(error instanceof BodyUsedError);
          assert.ok(error.message.startsWith(`GET ${url}: `), error.message);
          return true;
        });
      }));
  }
});

describe("a stream that is asked for when the body was read already", () => {
  const streams: Record<string, (response: HTTPResponse) => AsyncIterable<Uint8Array>> = {
    body: (response) => response.body,
    "readable()": (response) => response.readable(),
  };
  const spends: Record<string, (response: HTTPResponse) => unknown> = {
    "was read": (response) => response.read(),
    "was read as text": (response) => response.text(),
    "was read by another stream": (response) => collect(response),
    "was given up": (response) => response.releaseConn(),
    "was closed": (response) => response.close(),
  };
  for (const [name, stream] of Object.entries(streams)) {
    for (const [how, spend] of Object.entries(spends)) {
      it(`${name} passed for an empty body: it ${how}`, () =>
        get(HELLO, async (response, url) => {
          await spend(response);
          await assert.rejects(collect(stream(response)), (error) => {
            assert.ok(error instanceof BodyUsedError && error.message.startsWith(`GET ${url}: `));
            return true;
          });
        }));
    }

    it(`${name} gives the rest where a part was read, and nothing where there is nothing`, async () => {
      await get(HELLO, async (response) => {
        await response.read(2);
        assert.equal((await collect(stream(response))).join(""), "llo");
      });
      await get("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", async (response) =>
        assert.deepEqual(await collect(stream(response)), []),
      );
    });

    it(`${name} gives a preloaded body after it was read as text`, () =>
      get(
        HELLO,
        async (response) => {
          await response.text();
          assert.deepEqual(await collect(stream(response)), ["hello"]);
        },
        {},
      ));
  }

  it("body is the same stream still, once it was read", () =>
    get(HELLO, async (response) => {
      const { body } = response;
      assert.deepEqual(await collect(body), ["hello"]);
      assert.equal(response.body, body);
    }));
});

describe("a signal that stops the body", () => {
  for (const reason of [null, 0, "", "enough", new Error("enough")]) {
    it(`its reason is what the reader gets: ${String(reason) || '""'}`, async () => {
      await using origin = await startOrigin("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const abort = new AbortController();
      const response = await pool.request("GET", "/", { ...STREAMED, signal: abort.signal });
      const reading = response.read();
      abort.abort(reason);
      await assert.rejects(reading, (error) => error === reason);
      assert.equal(response.isClosed, true);
    });
  }
});
