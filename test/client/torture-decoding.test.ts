/**
 * Decoding that fails: a compressed body with each of its bytes changed in turn, and cut short before each of them. The
 * reader gets the text or a `DecodeError`, never a wrong text, and nothing is left.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { DecodeError, type HTTPResponse, Retry } from "../../src/index.ts";
import { script, World } from "../kit/world.ts";

const TEXT = Array.from({ length: 12 }, (_, n) => `line ${n * n}`).join("\n");
const NONE = "HTTP/1.1 204 No\r\n\r\n";
const URL = "http://a.test/";

/** What reading the body comes to; afterwards the client must be whole. */
async function outcome(coding: string, body: Buffer, preloadContent: boolean): Promise<string | DecodeError> {
  using world = new World();
  const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const bad = Buffer.concat([Buffer.from(head), body]);
  world.host(
    "a.test",
    script((one) => one.send(bad), NONE),
    script(NONE),
  );
  const manager = world.manager({ maxsize: 1, retries: new Retry({ total: 3 }) });
  const reading = manager
    .request("GET", URL, { preloadContent })
    .then((response: HTTPResponse) => response.text());
  const text = await world.run(reading.catch((error: unknown) => error as DecodeError));
  const attempts = world.events(/^attempt/).length;
  assert.equal(attempts, 1, "a body that cannot be decoded is not asked for again");
  await world.rest();
  const { busy, queued } = manager.stats().pools[0]!;
  assert.deepEqual([busy, queued], [0, 0]);
  assert.equal((await world.run(manager.request("GET", URL))).status, 204);
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  return text;
}

function check(result: string | DecodeError, what: string): void {
  if (typeof result === "string") {
    assert.equal(result, TEXT, what);
    return;
  }
  assert.ok(result instanceof DecodeError, `${what}: ${result}`);
  const { method, url, attempt, phase, message } = result;
  assert.deepEqual([method, url, attempt, phase], ["GET", URL, 1, "decode"], what);
  assert.ok(message.startsWith(`GET ${URL}: `), message);
}

// deflate and gzip have checksums; what brotli has not noticed is noticed by nobody.
const codings: [name: string, body: Buffer, guarded: boolean][] = [
  ["gzip", gzipSync(TEXT), true],
  ["deflate", deflateSync(TEXT), true],
  ["br", brotliCompressSync(TEXT), false],
];

for (const [coding, body, guarded] of codings) {
  for (const preloadContent of [true, false]) {
    describe(`fault 43: ${coding}, ${preloadContent ? "preloaded" : "streamed"}`, () => {
      const changed = async (): Promise<void> => {
        let failures = 0;
        for (let at = 0; at < body.length; at++) {
          const spoilt = Buffer.from(body);
          spoilt[at]! ^= 0x55;
          const result = await outcome(coding, spoilt, preloadContent);
          check(result, `byte ${at}`);
          if (typeof result !== "string") failures++;
        }
        // Of gzip's head, time and system say nothing about the content.
        assert.ok(failures >= body.length - 6, `${failures} of ${body.length}`);
      };
      if (guarded) it("each byte changed", changed);

      it("cut short before each byte", async () => {
        for (let length = 0; length < body.length; length++) {
          const result = await outcome(coding, body.subarray(0, length), preloadContent);
          // A body of no bytes at all is an empty one.
          if (length === 0) assert.equal(result, "");
          else {
            check(result, `${length} bytes`);
            assert.ok(typeof result !== "string", `${length} bytes`);
          }
        }
      });
    });
  }
}
