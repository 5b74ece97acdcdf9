/** The event-stream client goes on after a break with the last id, waits as it is told, and ends at a 204. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { runProgram, startProgram } from "./program.ts";

const stream = (body: string): object => ({ headers: { "Content-Type": "text/event-stream" }, body });

describe("examples/events.ts", () => {
  it("goes on with the last id after each break, until there is no more", async () => {
    const ids: (string | null)[] = [];
    await using server: HttpOrigin = await startHttp(({ header, connection }) => {
      ids.push(header("last-event-id"));
      switch (ids.length) {
        case 1:
          return stream(
            "retry: 20\n\nid: 1\ndata: one\n\nid: 2\nevent: add\ndata: two\ndata: lines\n\ndata: cut",
          );
        case 2:
          connection.reset();
          return undefined;
        case 3:
          return stream("data: no id of its own\n\n");
        case 4:
          return stream("id\n\n: nothing but a comment\n\n");
        default:
          return { status: 204 };
      }
    });
    const { code, lines, stderr } = await runProgram("events", [`${server.url}/`, "--last-id", "0"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(lines, ["message\tone", "add\ttwo\\nlines", "message\tno id of its own"]);
    assert.deepEqual(ids, ["0", "2", "2", "2", null]);
    assert.match(stderr, /3 events, last id: none\n$/);
    assert.equal(server.received[0]!.header("accept"), "text/event-stream");
  });

  it("stops after so many, and tells the id of the last one it has printed", async () => {
    await using server: HttpOrigin = await startHttp(() =>
      stream(Array.from({ length: 9 }, (_, id) => `id: ${id}\ndata: ${id}\n\n`).join("")),
    );
    const { code, lines, stderr } = await runProgram("events", [`${server.url}/`, "--max", "3"]);
    assert.deepEqual([code, lines.length, stderr], [0, 3, "3 events, last id: 2\n"]);
  });

  it("does not ask again for what is no event stream", async () => {
    await using server: HttpOrigin = await startHttp(({ target }) =>
      target === "/page" ? "a page" : { status: 500 },
    );
    for (const [path, message] of [
      ["/page", /sends nothing that it names, no events/],
      ["/broken", /500/],
    ] as const) {
      const { code, stderr } = await runProgram("events", [server.url + path]);
      assert.equal(code, 1);
      assert.match(stderr, message);
    }
    assert.equal(server.received.length, 2);
  });

  it("stops at Ctrl-C, on a quiet stream too", { skip: process.platform === "win32" }, async () => {
    await using server: HttpOrigin = await startHttp(async ({ connection }) => {
      await connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 7\ndata: x\n\n");
      await connection.closed;
    });
    await using program = startProgram("events", [`${server.url}/`]);
    await program.line(/message\tx/);
    program.kill("SIGINT");
    const { code, stderr } = await program.end();
    assert.deepEqual([code, stderr], [1, "1 events, last id: 7\ninterrupted\n"]);
  });
});
