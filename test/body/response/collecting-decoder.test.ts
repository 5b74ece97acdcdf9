import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as zlib from "node:zlib";
import { CollectingDecoder, type DecodeOptions } from "../../../src/body/response/decode.ts";
import { join } from "../../../src/core/bytes.ts";
import type { HTTPError } from "../../../src/core/errors.ts";
import { settle, VirtualClock } from "../../kit/clock.ts";
import { ENCODERS, encodeChain, gzipWithFullHeader, sampleText } from "./codings.ts";

const SMALL = sampleText(400);
const LARGE = sampleText(900_000);

/** A decoder and what came of it. */
class Run {
  readonly clock = new VirtualClock();
  readonly decoder: CollectingDecoder;
  data: Buffer | null = null;
  error: HTTPError | null = null;
  rooms = 0;
  calls = 0;
  readonly outcome: Promise<void>;
  #done!: () => void;

  constructor(codings: readonly string[], options: DecodeOptions = {}) {
    this.decoder = new CollectingDecoder(codings, options, this, this.clock);
    this.outcome = new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  onDecoded(parts: readonly Buffer[]): void {
    this.data = join(parts);
    this.calls++;
    this.#done();
  }

  onUndecodable(error: HTTPError): void {
    this.error = error;
    this.calls++;
    this.#done();
  }

  onRoom(): void {
    this.rooms++;
  }

  /** Pushes all of `data` in pieces of `size`, with a turn of the loop between them. */
  async feed(data: Buffer, size: number): Promise<this> {
    for (let at = 0; at < data.length; at += size) {
      this.decoder.push(data.subarray(at, at + size));
      if (size > 1) await settle();
    }
    this.decoder.end();
    await this.outcome;
    return this;
  }
}

describe("CollectingDecoder", () => {
  test("a small gzip body is decoded in one piece, into memory of its size", async () => {
    const text = Buffer.from("a line of a log\n".repeat(10_000));
    const { data } = await new Run(["gzip"]).feed(zlib.gzipSync(text), 65_536);
    assert.ok(data!.equals(text));
    assert.equal(data!.buffer.byteLength, text.length + 1);
  });

  test("members of gzip whose last one is the smallest, or empty, are decoded whole", async () => {
    for (const last of [0, 100, 60_000]) {
      const parts = [Buffer.alloc(100_000, "ab"), Buffer.alloc(last, "c")];
      const members = Buffer.concat(parts.map((part) => zlib.gzipSync(part)));
      const { data } = await new Run(["gzip"]).feed(members, 65_536);
      assert.ok(data!.equals(Buffer.concat(parts)));
    }
  });

  test("what is decoded does not hold memory of twice its size", async () => {
    const text = sampleText(20_000);
    const pool = Buffer.allocUnsafe(1).buffer.byteLength;
    for (const { label, coding, encode } of ENCODERS) {
      const { data } = await new Run([coding]).feed(encode(text), 65_536);
      assert.ok(data!.buffer.byteLength <= Math.max(2 * text.length, pool), label);
    }
  });

  for (const { label, coding, encode } of ENCODERS) {
    test(`${label}: whole, in pieces, byte by byte, with and without waiting`, async () => {
      for (const data of [SMALL, LARGE, Buffer.alloc(0)]) {
        for (const size of [Number.MAX_SAFE_INTEGER, 50_000]) {
          const run = await new Run([coding]).feed(encode(data), size);
          assert.ok(run.data?.equals(data), `${data.length} in ${size}`);
          assert.equal(run.clock.pending, 0);
        }
      }
      assert.ok((await new Run([coding]).feed(encode(SMALL), 1)).data?.equals(SMALL));
    });

    test(`${label}: split at every byte, the rest long after`, async () => {
      const encoded = encode(SMALL);
      for (let at = 1; at < encoded.length; at += 3) {
        const run = new Run([coding]);
        run.decoder.push(encoded.subarray(0, at));
        await run.clock.elapse(20);
        run.decoder.push(encoded.subarray(at));
        run.decoder.end();
        await run.outcome;
        assert.ok(run.data?.equals(SMALL), `split at ${at}`);
      }
    });

    test(`${label}: cut data fails at its end, or gives what there is`, async () => {
      const cut = encode(LARGE).subarray(0, -100);
      assert.match(String((await new Run([coding]).feed(cut, 60_000)).error?.cause), /unexpected end/);
      const lenient = await new Run([coding], { allowTruncated: true }).feed(cut, 60_000);
      assert.ok(LARGE.toString().startsWith(lenient.data!.toString()) && lenient.data!.length > 700_000);
    });
  }

  test("several gzip members, chains of codings", async () => {
    const members = Buffer.concat([zlib.gzipSync(LARGE), gzipWithFullHeader(SMALL), zlib.gzipSync("three")]);
    const expected = Buffer.concat([LARGE, SMALL, Buffer.from("three")]);
    assert.ok((await new Run(["gzip"]).feed(members, 10_000)).data?.equals(expected));
    const chain = ["deflate", "br", "gzip"];
    assert.ok((await new Run(chain).feed(encodeChain(LARGE, chain), 9000)).data?.equals(LARGE));
  });

  test("a small body that comes at once is decoded within end()", () => {
    const run = new Run(["gzip"]);
    run.decoder.push(zlib.gzipSync(SMALL));
    run.decoder.end();
    assert.ok(run.data?.equals(SMALL));
    assert.equal(run.clock.pending, 0);
  });

  test("maxDecodedSize fails while the body is still coming", async () => {
    const run = new Run(["gzip"], { maxDecodedSize: 1_000_000 });
    const endless = zlib.gzipSync(Buffer.alloc(3_000_000, "x"), { level: 0 });
    let sent = 0;
    for (; sent < endless.length && run.error === null; sent += 50_000) {
      run.decoder.push(endless.subarray(sent, sent + 50_000));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.match(run.error?.message ?? "", /maxDecodedSize \(1000000 bytes\)/);
    assert.ok(sent < 1_500_000, `${sent} bytes were taken`);
    run.decoder.push(endless);
    run.decoder.end();
    await settle();
    assert.equal(run.calls, 1);
  });

  test("broken data fails though the rest never comes", async () => {
    const good = zlib.gzipSync(LARGE);
    good.fill(0xff, 300, 340);
    for (const data of [Buffer.from("no gzip at all"), good.subarray(0, 9000), good]) {
      const run = new Run(["gzip"]);
      run.decoder.push(data);
      await run.clock.elapse(20);
      await run.outcome;
      assert.equal(run.error?.code, "ERR_URLPOOL_DECODE");
      assert.equal(run.clock.pending, 0);
    }
  });

  test("a coding that is not known is told, not thrown", async () => {
    const run = await new Run(["compress"]).feed(SMALL, 1000);
    assert.match(String(run.error?.cause), /compress/);
  });

  test("a sender that is faster than decoding is paused, and told when there is room", async () => {
    const run = new Run(["gzip"]);
    const encoded = zlib.gzipSync(LARGE, { level: 0 });
    let taken = 0;
    while (run.decoder.push(encoded.subarray(taken, taken + 65_536))) taken += 65_536;
    taken += 65_536;
    assert.equal(taken, 262_144);
    assert.equal(run.rooms, 0);
    while (run.rooms === 0) await settle();
    assert.equal(run.rooms, 1);
    await run.feed(encoded.subarray(taken), 65_536);
    assert.ok(run.data?.equals(LARGE));
  });

  test("stop() ends decoding at once: a bomb does not go on", async () => {
    const bomb = zlib.gzipSync(zlib.gzipSync(Buffer.alloc(300_000_000)));
    const run = new Run(["gzip", "gzip"]);
    run.decoder.push(bomb);
    run.decoder.end();
    await settle();
    run.decoder.stop();
    await settle();
    const before = process.memoryUsage().arrayBuffers;
    const cpu = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { user } = process.cpuUsage(cpu);
    assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
    assert.ok(user < 90_000, `${user} µs of work after stop()`);
    assert.equal(run.calls, 0);
    assert.equal(run.clock.pending, 0);
  });

  test("a body that nobody has begun to decode is stopped without a trace", async () => {
    const run = new Run(["gzip"]);
    run.decoder.push(zlib.gzipSync(SMALL));
    run.decoder.stop();
    run.decoder.end();
    await settle();
    assert.equal(run.clock.pending, 0);
    assert.equal(run.calls, 0);
  });
});
