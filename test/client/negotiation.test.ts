/** What a request says of itself must be true, and said once: codings it can undo, its host, its framing, expectations. */

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { HTTPConnectionPool, PoolManager, type RequestOptions } from "../../src/index.ts";
import { ok } from "../kit/answers.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { World } from "../kit/world.ts";

leakGate();

describe("codings are offered only where they can be undone", () => {
  const TEXT = "hello world ".repeat(50);

  it("a part of a compressed text was asked for, which nobody can decode", async () => {
    await using origin = await startHttp((request) => {
      const bytes = /gzip/.test(request.header("accept-encoding") ?? "") ? gzipSync(TEXT) : Buffer.from(TEXT);
      const headers = { "Content-Range": `bytes 5-${bytes.length - 1}/${bytes.length}` };
      return { status: 206, headers, body: bytes.subarray(5) };
    });
    for (const headers of [{ Range: "bytes=5-" }, { rANGE: "bytes=5-" }]) {
      using plain = new PoolManager();
      using ranged = new PoolManager({ headers });
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { headers });
      for (const [client, options] of [
        [plain, { headers }],
        [ranged, {}],
        [pool, {}],
      ] as const) {
        assert.equal(String((await client.request("GET", `${origin.url}/`, options)).data), TEXT.slice(5));
      }
    }
  });

  it("bytes nobody asked for came where decodeContent is false", async () => {
    await using origin = await startHttp((request) => request.header("accept-encoding") ?? "none");
    using manager = new PoolManager({ decodeContent: false });
    using decoding = new PoolManager();
    const offered = async (asked: Promise<{ text(): Promise<string> }>): Promise<string> =>
      (await asked).text();
    assert.equal(await offered(manager.request("GET", origin.url)), "identity");
    assert.equal(await offered(decoding.request("GET", origin.url, { decodeContent: false })), "identity");
    assert.match(await offered(decoding.request("GET", origin.url)), /gzip/);
    assert.match(await offered(manager.request("GET", origin.url, { decodeContent: true })), /gzip/);
    const headers = { "Accept-Encoding": "br" };
    assert.equal(
      await offered(manager.request("GET", origin.url, { headers })),
      "br",
      "the caller's own stays",
    );
  });
});

describe("fields that may stand once were sent twice", () => {
  const TWICE: [name: string, method: string, options: RequestOptions][] = [
    ["host", "GET", { headers: { host: "a.example", Host: "b.example" } }],
    [
      "host",
      "GET",
      {
        headers: [
          ["Host", "a.example"],
          ["HOST", "a.example"],
        ] as never,
      },
    ],
    [
      "transfer-encoding",
      "POST",
      { body: "x", headers: { "Transfer-Encoding": "chunked", "transfer-encoding": "chunked" } },
    ],
    ["content-length", "POST", { body: "x", headers: { "Content-Length": "1", "content-length": "1" } }],
  ];
  for (const [name, method, options] of TWICE) {
    it(`${name}: ${JSON.stringify(options.headers)}`, async () => {
      await using origin = await startHttp(() => "");
      using manager = new PoolManager({ retries: false });
      const refused = await manager.request(method, origin.url, options).then(
        () => null,
        (error: Error) => error.name,
      );
      const lines = origin.received.map(({ headers }) =>
        headers.filter(([one]) => one.toLowerCase() === name),
      );
      if (refused !== null) assert.deepEqual([refused, lines], ["InvalidHeader", []]);
      else assert.deepEqual([lines.length, lines[0]!.length], [1, 1]);
    });
  }
});

describe("417 (Expectation Failed) was the answer to who can do without", () => {
  /** Answers 417 to the first `most` requests that expect something; the bodies of the others are read. */
  const refusing = (most: number) => {
    let refused = 0;
    return async (connection: OriginConnection): Promise<void> => {
      for (;;) {
        const head = await connection.readHead();
        const expects = /^expect:/im.test(head);
        if (!expects) {
          const body = /^transfer-encoding/im.test(head)
            ? (await connection.readChunkedBody()).body
            : await connection.readBody(5);
          assert.equal(String(body), "hello");
        }
        const no = refused < most && (expects || most === 2);
        if (no) refused++;
        await connection.send(
          no ? "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n" : ok("done"),
        );
      }
    };
  };
  const put = (world: World, body: RequestOptions["body"]) =>
    world.run(
      world.manager().request("PUT", "http://a.test/", { body: body!, headers: { expect: "100-continue" } }),
    );
  const heads = (world: World): boolean[] =>
    world.connections.flatMap(({ requests }) => requests).map((head) => /^expect:/im.test(head));

  it("it is repeated once without the expectation, and no retry is counted", async () => {
    using world = new World().host("a.test", refusing(1));
    const response = await put(world, "hello");
    assert.deepEqual([response.status, String(response.data)], [200, "done"]);
    assert.deepEqual(heads(world), [true, false]);
    assert.equal(response.retries!.history.length, 0);
  });

  it("a second one is the answer", async () => {
    using world = new World().host("a.test", refusing(2));
    assert.equal((await put(world, "hello")).status, 417);
    assert.deepEqual(heads(world), [true, false]);
  });

  it("a stream that was not read yet is sent then", async () => {
    using world = new World().host("a.test", refusing(1));
    const response = await put(world, Readable.from(["hello"]));
    assert.deepEqual([response.status, String(response.data)], [200, "done"]);
    assert.deepEqual(heads(world), [true, false]);
  });
});
