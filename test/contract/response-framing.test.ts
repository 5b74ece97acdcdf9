/** The end of a chunked body. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HTTPConnectionPool, IncompleteRead } from "../../src/index.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

describe("a server that closes behind a chunked body", () => {
  for (const preloadContent of [true, false]) {
    const way = preloadContent ? "preloaded" : "streamed";

    it(`${way}: the last chunk is the end, also without the empty line behind it; the connection is gone`, async () => {
      await using origin = await startOrigin([`${CHUNKED}0\r\n`]);
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const response = await pool.request("GET", "/", { preloadContent, retries: false });
      assert.equal(await response.text(), "hello");
      assert.deepEqual([pool.numIdle, pool.numBusy, response.trailers.size], [0, 0, 0]);
    });

    for (const rest of ["", "0", "0\r", "0\r\nX-Sum: 1", "0\r\nX-Sum: 1\r\n", "0\r\n\r"]) {
      it(`${way}: ${JSON.stringify(rest)} is not the end`, async () => {
        await using origin = await startOrigin([CHUNKED + rest]);
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
        await assert.rejects(async () => {
          const response = await pool.request("GET", "/", { preloadContent, retries: false });
          await response.text();
        }, IncompleteRead);
      });
    }
  }
});
