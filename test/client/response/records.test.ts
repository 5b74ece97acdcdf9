/** `lines()`, `jsonLines()` and `events()` over connections: as the body comes, in its charset, and broken off. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { HTTPResponse, PoolManager, ProtocolError } from "../../../src/index.ts";
import { startHttp } from "../../kit/http-origin.ts";
import { leakGate } from "../../kit/leak-gate.ts";
import { type OriginConnection, startOrigin } from "../../kit/origin.ts";

leakGate();

const STREAMED = { preloadContent: false };

async function all<T>(records: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const record of records) list.push(record);
  return list;
}

async function chunk(connection: OriginConnection, text: string): Promise<void> {
  await connection.send(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

/** Waits until no response has a connection any more; an answer of which little is left is drained for up to 50 ms. */
async function released(manager: PoolManager): Promise<void> {
  while (manager.stats().pools[0]!.busy > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("lines", () => {
  it("of a streamed, a preloaded and a compressed body, whatever its line ends", async () => {
    const text = Array.from({ length: 20_000 }, (_unused, i) => `line ${i} \u20ac`);
    for (const end of ["\n", "\r\n", "\r"]) {
      const body = gzipSync(text.join(end));
      const headers = { "Content-Encoding": "gzip", "Content-Type": "text/plain" };
      await using origin = await startHttp(() => ({ body, headers, chunked: 777 }));
      await using manager = new PoolManager();
      for (const preloadContent of [true, false]) {
        const response = await manager.request("GET", origin.url, { preloadContent });
        assert.deepEqual(await all(response.lines()), text);
        assert.equal(response.isClosed, true);
      }
      assert.equal(origin.connections.length, 1);
    }
  });

  it("in the charset of the Content-Type, cut anywhere", async () => {
    const cases: [type: string, body: Buffer, lines: string[]][] = [
      ["text/plain; charset=utf-16le", Buffer.from("\u0a0a\u20ac\nb", "utf16le"), ["\u0a0a\u20ac", "b"]],
      ["text/plain; charset=iso-8859-1", Buffer.from([0xe9, 0x0a, 0x80]), ["\u00e9", "\u20ac"]],
      ["text/plain; charset=nobody-knows", Buffer.from("\u20ac\n"), ["\u20ac"]],
    ];
    for (const [type, body, lines] of cases) {
      await using origin = await startHttp(() => ({ body, headers: { "Content-Type": type }, chunked: 1 }));
      await using manager = new PoolManager();
      assert.deepEqual(await all((await manager.request("GET", origin.url, STREAMED)).lines()), lines);
    }
  });

  it("each as soon as it has come", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      await chunk(connection, "one\ntw");
      await connection.readAll();
    });
    await using manager = new PoolManager();
    const response = await manager.request("GET", origin.url, STREAMED);
    for await (const line of response.lines()) {
      assert.equal(line, "one");
      break;
    }
    await released(manager);
  });

  it("leaving the loop early keeps the connection where little is left, closes it where much is", async () => {
    for (const [size, connections] of [
      [10_000, 1],
      [5_000_000, 2],
    ] as const) {
      await using origin = await startHttp(() => ({ body: "a\n".repeat(size) }));
      await using manager = new PoolManager();
      for (let round = 0; round < 2; round++) {
        const response = await manager.request("GET", origin.url, STREAMED);
        for await (const line of response.lines()) {
          assert.equal(line, "a");
          break;
        }
        await released(manager);
      }
      assert.equal(origin.connections.length, connections);
    }
  });

  it("a body that breaks off throws after its last whole line; a line that is too long at once", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none\ntwo-and-more");
      connection.halfClose();
    });
    await using manager = new PoolManager();
    const seen: string[] = [];
    const response = await manager.request("GET", origin.url, STREAMED);
    await assert.rejects(
      async () => {
        for await (const line of response.lines()) seen.push(line);
      },
      { name: "IncompleteRead" },
    );
    assert.deepEqual(seen, ["one"]);
    const other = await manager.request("GET", origin.url, STREAMED);
    await assert.rejects(all(other.lines({ maxSize: 5 })), (error: Error) => {
      assert.ok(error instanceof ProtocolError);
      assert.match(error.message, /^GET http.*: A line of the body is longer than 5 bytes/);
      return true;
    });
    await released(manager);
  });
});

it("JSON lines", async () => {
  const body = '{"id":1}\n\n{"id":2}\r\n[3]';
  await using origin = await startHttp(() => ({ body, headers: { "Content-Type": "application/x-ndjson" } }));
  await using manager = new PoolManager();
  const response = await manager.request("GET", origin.url, STREAMED);
  assert.deepEqual(await all(response.jsonLines<{ id: number }>()), [{ id: 1 }, { id: 2 }, [3]]);
  await assert.rejects(all(new HTTPResponse({ body: "1\nx" }).jsonLines()), /Line 2 of the body is no JSON/);
});

describe("events", () => {
  it("come as they are sent; id and reconnection time stay readable", async () => {
    let goOn = (): void => {};
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      await chunk(connection, ": hi\n\nretry: 50\nid: 1\ndata: a\n\nevent: x\nda");
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      await chunk(connection, "ta: b\ndata: c\n\nid: 9\ndata: never ended");
      await connection.send("0\r\n\r\n");
    });
    await using manager = new PoolManager();
    const events = (await manager.request("GET", origin.url, STREAMED)).events();
    assert.deepEqual((await events.next()).value, { event: "message", data: "a", id: "1", retry: 50 });
    assert.deepEqual([events.lastEventId, events.retry], ["1", 50]);
    goOn();
    assert.deepEqual(await all(events), [{ event: "x", data: "b\nc", id: "1", retry: null }]);
    assert.equal(events.lastEventId, "1");
  });

  it("the last id was that of an event that the caller had not seen, when it left the loop", async () => {
    const headers = { "Content-Type": "text/event-stream" };
    const events = (ids: string[]): string => ids.map((id) => `id: ${id}\ndata: x\n\n`).join("");
    const response = new HTTPResponse({ headers, body: `${events(["1", "2", "3"])}id: 4\n\n` });
    const stream = response.events();
    for await (const { id } of stream) if (id === "2") break;
    assert.equal(stream.lastEventId, "2");
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
    const whole = new HTTPResponse({ headers, body: `${events(["1"])}id: 4\n\n` }).events();
    await all(whole);
    assert.equal(whole.lastEventId, "4");
  });

  it("events have the id of the connection before, until there is another", async () => {
    const headers = { "Content-Type": "text/event-stream" };
    const stream = new HTTPResponse({ headers, body: "data: a\n\nid: 8\ndata: b\n\n" }).events({
      lastEventId: "7",
    });
    assert.equal(stream.lastEventId, "7");
    assert.deepEqual(
      (await all(stream)).map(({ id }) => id),
      ["7", "8"],
    );
    const reset = new HTTPResponse({ headers, body: "id\n\n" }).events({ lastEventId: "7" });
    await all(reset);
    assert.equal(reset.lastEventId, "");
  });

  it("another Content-Type is refused, and the connection given back", async () => {
    for (const type of ["text/html", "text/event-streams", null]) {
      const headers: Record<string, string> = type === null ? {} : { "Content-Type": type };
      await using origin = await startHttp(() => ({ status: 502, body: "<html>", headers }));
      await using manager = new PoolManager();
      const response = await manager.request("GET", origin.url, STREAMED);
      assert.throws(
        () => response.events(),
        (error: Error) => {
          assert.ok(error instanceof ProtocolError);
          assert.match(
            error.message,
            /^GET http.*: The answer \(status 502\) is .*, not text\/event-stream$/,
          );
          return true;
        },
      );
      await released(manager);
    }
  });

  it("an event without end is refused before it is kept", async () => {
    const headers = { "Content-Type": "text/event-stream" };
    await using origin = await startHttp(() => ({ body: "data: x\n".repeat(500_000), headers }));
    await using manager = new PoolManager();
    const response = await manager.request("GET", origin.url, STREAMED);
    await assert.rejects(all(response.events()), /An event is larger than 1048576 bytes/);
  });
});
