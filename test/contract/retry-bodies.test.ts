/** Bodies that can be read only once, in requests that are tried again. */

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  MaxRetryError,
  NameResolutionError,
  PoolManager,
  Retry,
  UnrewindableBodyError,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const once: [name: string, make: () => AsyncIterable<string> | Iterable<string> | ReadableStream][] = [
  ["a generator", () => ["ab", "c"].values()],
  ["a Node stream", () => Readable.from(["ab", "c"])],
  ["a web stream", () => new Blob(["abc"]).stream()],
];

for (const [name, make] of once) {
  describe(name, () => {
    it("is sent by the attempt that reaches the server, if those before it did not", async () => {
      await using origin = await startHttp(({ body }) => body);
      let lookups = 0;
      await using manager = new PoolManager({
        lookup: (_name, _options, callback) => {
          const failed = Object.assign(new Error("later"), { code: "EAI_AGAIN" });
          if (++lookups < 3) callback(failed, []);
          else callback(null, [{ address: "127.0.0.1", family: 4 }]);
        },
      });
      const url = `http://a.test:${origin.port}/`;
      const response = await manager.request("POST", url, { body: make() as AsyncIterable<string> });
      assert.equal(await response.text(), "abc");
      assert.equal(response.retries?.history.length, 2);
    });

    it("that never reaches it: MaxRetryError as for any other body", async () => {
      await using manager = new PoolManager({
        retries: 1,
        lookup: (_name, _options, callback) => callback(new Error("never"), []),
      });
      await assert.rejects(
        manager.request("POST", "http://a.test/", { body: make() as AsyncIterable<string> }),
        (error) => error instanceof MaxRetryError && error.reason instanceof NameResolutionError,
      );
    });

    it("was read: UnrewindableBodyError, and nothing is sent again", async () => {
      await using origin = await startHttp(() => ({ status: 503 }));
      await using manager = new PoolManager({ retries: new Retry({ statusForcelist: [503] }) });
      await assert.rejects(
        manager.request("PUT", origin.url, { body: make() as AsyncIterable<string> }),
        UnrewindableBodyError,
      );
      assert.equal(origin.requests.length, 1);
    });
  });
}
