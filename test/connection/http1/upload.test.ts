import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import type { BodyPart } from "../../../src/body/request/payload.ts";
import { Upload } from "../../../src/connection/http1/upload.ts";
import { VirtualClock } from "../../kit/clock.ts";

type Parts = AsyncIterable<BodyPart> | Iterable<BodyPart>;

/**
 * What reached the socket: one entry for each system call. `took`: how long it needed for one, in ms, after so many calls.
 * `taken`: when it has taken the first.
 */
async function upload(
  parts: Parts,
  length?: number,
  took: (calls: number) => number = () => 0,
  taken?: Promise<void>,
): Promise<{ calls: Buffer[][]; ended: Promise<void> }> {
  const clock = new VirtualClock();
  const calls: Buffer[][] = [];
  const socket = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      calls.push([Buffer.from(chunk)]);
      clock.advance(took(calls.length));
      if (taken === undefined) done();
      else taken.then(() => done());
    },
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => Buffer.from(chunk as Buffer)));
      if (taken === undefined) done();
      else taken.then(() => done());
    },
  });
  const ended = new Promise<void>((resolve, reject) => {
    const observer = { onSent() {}, onUploaded: resolve, onUploadFailed: reject };
    void new Upload(
      socket as unknown as Socket,
      { length, open: () => parts },
      length === undefined,
      observer,
      clock,
    ).run();
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { calls, ended };
}

const text = (calls: Buffer[][]): string => Buffer.concat(calls.flat()).toString("latin1");

describe("upload", () => {
  it("sends the parts that the source has at hand with one system call", async () => {
    const { calls, ended } = await upload(["ab", "cde"]);
    await ended;
    assert.equal(calls.length, 1);
    assert.equal(text(calls), "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
  });

  it("does not hold back a part when the source has to be waited for", async () => {
    let goOn = (): void => {};
    const waits = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    async function* parts(): AsyncGenerator<string> {
      yield "ab";
      await waits;
      yield "cd";
    }
    const { calls, ended } = await upload(parts(), 4);
    assert.equal(text(calls), "ab");
    goOn();
    await ended;
    assert.equal(text(calls), "abcd");
  });

  it("bounds what it gathers, in bytes and in parts", async () => {
    const large = Array.from({ length: 64 }, () => Buffer.alloc(65_536, "x"));
    const bytes = await upload(large, 64 * 65_536);
    await bytes.ended;
    const lengths = bytes.calls.map((call) => Buffer.concat(call).length);
    assert.equal(Math.max(...lengths), 524_288);
    const parts = await upload(Array(2000).fill("x"), 2000);
    await parts.ended;
    assert.equal(Math.max(...parts.calls.map((call) => call.length)), 256);
  });

  for (const kind of ["chunks", "a known length"]) {
    it(`in ${kind}: takes one batch from the source, and no more, while the server takes nothing`, async () => {
      const part = Buffer.alloc(65_536, "x");
      let given = 0;
      function* parts(): Generator<Buffer> {
        for (; given < 64; given++) yield part;
      }
      let goOn = (): void => {};
      const taken = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const length = kind === "chunks" ? undefined : 64 * part.length;
      const { ended } = await upload(parts(), length, undefined, taken);
      for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
      // The generator counts a part when it is asked for the next.
      assert.equal((given + 1) * part.length, 524_288);
      goOn();
      await ended;
      assert.equal(given, 64);
    });
  }

  for (const size of [1024, 16_384, 65_536, 200_000]) {
    for (const kind of ["chunks", "a known length"]) {
      it(`in ${kind}: waits for the server also where the source gives ${size} bytes at a time, each a turn later`, async () => {
        const count = Math.ceil(1_048_576 / size);
        let given = 0;
        async function* parts(): AsyncGenerator<Buffer> {
          for (; given < count; given++) {
            await new Promise((resolve) => setImmediate(resolve));
            yield Buffer.alloc(size, "x");
          }
        }
        let goOn = (): void => {};
        const taken = new Promise<void>((resolve) => {
          goOn = resolve;
        });
        const length = kind === "chunks" ? undefined : count * size;
        const { calls, ended } = await upload(parts(), length, undefined, taken);
        for (let turns = 0; turns < 4 * count + 100; turns++)
          await new Promise((resolve) => setImmediate(resolve));
        // What the socket holds above its mark, and one part for when it has room.
        assert.ok(given * size <= 65_536 + 2 * size, `${given * size} bytes`);
        goOn();
        await ended;
        assert.equal(given, count);
        const body = Buffer.concat(calls.flat()).filter((byte) => byte === 120);
        assert.equal(body.length, count * size);
      });
    }
  }

  it("sends a large part in slices that grow with what was taken, and in small ones again to a server that slows down", async () => {
    const total = 16_777_216;
    const fast = await upload([Buffer.alloc(total, "x")], total);
    await fast.ended;
    const lengths = fast.calls.map(([slice]) => slice!.length);
    assert.ok(lengths.length < 50, `${lengths.length} system calls`);
    let taken = 0;
    for (const length of lengths) {
      assert.ok(length <= Math.max(131_072, taken / 8), `${length} bytes after ${taken}`);
      taken += length;
    }
    assert.equal(taken, total);
    const slow = await upload([Buffer.alloc(total, "x")], total, (calls) => (calls > 30 ? 51 : 0));
    await slow.ended;
    const sizes = slow.calls.map(([slice]) => slice!.length);
    assert.ok(sizes[30]! > 131_072);
    assert.deepEqual(new Set(sizes.slice(31)), new Set([131_072]));
    assert.equal(Buffer.concat(slow.calls.flat()).length, total);
  });

  it("sends a large part before it asks for the next: the source may use its memory again", async () => {
    const memory = Buffer.alloc(100_000);
    function* parts(): Generator<Buffer> {
      for (const letter of "abc") yield memory.fill(letter);
    }
    const { calls, ended } = await upload(parts(), 300_000);
    await ended;
    assert.equal(text(calls), ["a", "b", "c"].map((letter) => letter.repeat(100_000)).join(""));
  });
});
