import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FrameReader, type FrameSink } from "../../../src/protocol/h2/frame-reader.ts";
import { Violation } from "../../../src/protocol/h2/violation.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { SEED, seededRandom } from "../../kit/seed.ts";
import { type FrameCase, frameCorpus } from "./material.ts";

/** Tells what came as lines; runs of DATA are joined, because where they are cut says nothing. */
class Recorder implements FrameSink {
  readonly events: string[] = [];
  #content = "";

  onDataHead(id: number, length: number): void {
    this.events.push(`data ${id} of ${length}`);
    this.#content = "";
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    assert.ok(end > start, "no empty runs");
    this.#content += bytes.toString("latin1", start, end);
  }

  onDataEnd(endStream: boolean): void {
    this.events.push(`content ${this.#content} ${endStream}`);
  }

  onHeaders(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    this.events.push(`headers ${id} ${endStream} ${bytes.toString("latin1", start, end)}`);
  }

  onReset(id: number, code: number): void {
    this.events.push(`reset ${id} ${code}`);
  }

  onSettings(bytes: Buffer, start: number, end: number): void {
    this.events.push(`settings ${bytes.toString("hex", start, end)}`);
  }

  onSettingsAck(): void {
    this.events.push("settings ack");
  }

  onPing(ack: boolean, bytes: Buffer, at: number): void {
    this.events.push(`ping ${ack} ${bytes.toString("latin1", at, at + 8)}`);
  }

  onGoAway(lastId: number, code: number, bytes: Buffer, start: number, end: number): void {
    this.events.push(`goaway ${lastId} ${code} ${bytes.toString("latin1", start, end)}`);
  }

  onWindowUpdate(id: number, increment: number): void {
    this.events.push(`window ${id} ${increment}`);
  }

  onIgnored(): void {
    this.events.push("ignored");
  }
}

/** Reads `pieces`, behind SETTINGS; the events and, at the end, the code of an error. */
function read(...pieces: Uint8Array[]): string[] {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder, 65_536);
  const first = h2.settings();
  reader.execute(first, first.length);
  try {
    // As from a socket: one buffer, which is written again for the next piece.
    const buffer = Buffer.alloc(pieces.reduce((longest, { length }) => Math.max(longest, length), 0));
    for (const piece of pieces) {
      buffer.set(piece);
      reader.execute(buffer, piece.length);
      buffer.fill(0xee);
    }
  } catch (error) {
    assert.ok(error instanceof Violation && error.scope === "connection" && error.message !== "");
    recorder.events.push(`error ${error.code}`);
  }
  return recorder.events.slice(1);
}

/** What a right frame of the corpus must be told as. */
function expectedOf({ frame, wire }: FrameCase): string[] {
  const payload = frame!.frame_payload;
  const id = frame!.stream_identifier;
  switch (frame!.type) {
    case 0:
      return [`data ${id} of ${frame!.length}`, `content ${payload.data} ${(frame!.flags & 1) === 1}`];
    case 1:
      return [`headers ${id} false ${payload.header_block_fragment}`];
    case 3:
      return [`reset ${id} ${payload.error_code}`];
    case 4:
      return [`settings ${wire.slice(18).toLowerCase()}`];
    case 5:
      return ["error 1"]; // We do not allow push.
    case 6:
      return [`ping false ${payload.opaque_data}`];
    case 7:
      return [`goaway ${payload.last_stream_id} ${payload.error_code} ${payload.additional_debug_data}`];
    case 8:
      return [`window ${id} ${payload.window_size_increment}`];
    case 9:
      return ["error 1"]; // Alone it continues nothing.
    default:
      return ["ignored"];
  }
}

describe("the frames of the public corpus", () => {
  for (const [name, frameCase] of Object.entries(frameCorpus())) {
    it(name, () => {
      const events = read(Buffer.from(frameCase.wire, "hex"));
      if (frameCase.error === null) assert.deepEqual(events, expectedOf(frameCase));
      // An increment of 0 ends a stream or the connection: that is for the session to say.
      else if (name === "error/window_update-frame-increment") assert.match(events[0]!, /^window \d+ 0$/);
      else assert.ok(frameCase.error.map((code) => `error ${code}`).includes(events.at(-1)!), `${events}`);
    });
  }
});

/** Every kind of frame, DATA padded and not, field blocks in one and three frames. */
const CONVERSATION = Buffer.concat([
  h2.settings([3, 100]),
  h2.settingsAck(),
  h2.headers(1, [[":status", "200"]]),
  h2.data(1, "hello"),
  h2.paddedData(1, "padded", 3),
  h2.paddedData(1, "", 2),
  h2.data(1, ""),
  h2.frame(1, 0x28, 3, Buffer.concat([Buffer.of(2), Buffer.alloc(5), Buffer.from("ab"), Buffer.alloc(2)])),
  h2.frame(9, 0, 3, "cd"),
  h2.frame(9, 0, 3, ""),
  h2.frame(9, 4, 3, "ef"),
  h2.ping(),
  h2.ping("abcdefgh", 1),
  h2.windowUpdate(0, 77),
  h2.resetStream(3, 8),
  h2.frame(2, 0, 5, "12345"),
  h2.frame(0x77, 0xff, 9, "what is this"),
  h2.data(1, "end", true),
  h2.goAway(1, 0, "bye"),
]);

describe("frames in pieces", () => {
  const whole = read(CONVERSATION);

  it("are told once each", () => {
    assert.equal(whole.filter((event) => event.startsWith("error")).length, 0);
    assert.ok(whole.includes("headers 3 false abcdef"));
    assert.ok(whole.includes("content padded false"));
    assert.equal(whole.length, 21);
  });

  it("give the same events cut at every octet", () => {
    for (let cut = 1; cut < CONVERSATION.length; cut++) {
      assert.deepEqual(
        read(CONVERSATION.subarray(0, cut), CONVERSATION.subarray(cut)),
        whole,
        `cut at ${cut}`,
      );
    }
  });

  it("give the same events octet by octet, and in random pieces", () => {
    assert.deepEqual(read(...Array.from(CONVERSATION, (octet) => Buffer.of(octet))), whole);
    const random = seededRandom();
    for (let round = 0; round < 200; round++) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < CONVERSATION.length; ) {
        const size = random.integer(1, 30);
        pieces.push(CONVERSATION.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual(read(...pieces), whole);
    }
  });
});

describe("wrong frames", () => {
  const rows: [string, Buffer, number][] = [
    ["DATA above our frame size", h2.data(1, "x".repeat(16_385)), 6],
    ["any frame above it, by its head alone", h2.frame(0x77, 0, 1, "", 16_385), 6],
    ["DATA on stream 0", h2.data(0, "x"), 1],
    ["padded DATA of no octets", h2.frame(0, 8, 1, ""), 6],
    ["more padding than DATA", h2.frame(0, 8, 1, Buffer.of(4, 0, 0, 0)), 1],
    ["HEADERS on stream 0", h2.headers(0, []), 1],
    ["more padding than HEADERS", h2.frame(1, 0x0c, 1, Buffer.of(4, 0, 0, 0)), 1],
    ["HEADERS too short for its priority", h2.frame(1, 0x24, 1, Buffer.alloc(4)), 6],
    ["HEADERS too short for its pad length", h2.frame(1, 0x0c, 1, ""), 6],
    ["PRIORITY of four octets", h2.frame(2, 0, 1, "1234"), 6],
    ["PRIORITY on stream 0", h2.frame(2, 0, 0, "12345"), 1],
    ["RST_STREAM of three octets", h2.frame(3, 0, 1, "123"), 6],
    ["RST_STREAM on stream 0", h2.resetStream(0, 8), 1],
    ["SETTINGS of seven octets", h2.frame(4, 0, 0, "1234567"), 6],
    ["SETTINGS on a stream", h2.frame(4, 0, 1, ""), 1],
    ["an acknowledgement with octets", h2.frame(4, 1, 0, "123456"), 6],
    ["PUSH_PROMISE", h2.frame(5, 4, 1, h2.uint32(2)), 1],
    ["PING of seven octets", h2.ping("1234567"), 6],
    ["PING on a stream", h2.frame(6, 0, 1, "12345678"), 1],
    ["GOAWAY of seven octets", h2.frame(7, 0, 0, "1234567"), 6],
    ["GOAWAY on a stream", h2.frame(7, 0, 1, "12345678"), 1],
    ["WINDOW_UPDATE of three octets", h2.frame(8, 0, 0, "123"), 6],
    ["CONTINUATION behind a whole block", Buffer.concat([h2.headers(1, []), h2.frame(9, 4, 1)]), 1],
    ["CONTINUATION of another stream", Buffer.concat([h2.frame(1, 0, 1), h2.frame(9, 4, 3)]), 1],
    ["a frame within a field block", Buffer.concat([h2.frame(1, 0, 1), h2.ping()]), 1],
    ["an unknown frame within a field block", Buffer.concat([h2.frame(1, 0, 1), h2.frame(0x77, 0, 0)]), 1],
    ["HEADERS within a field block", Buffer.concat([h2.frame(1, 0, 1), h2.headers(1, [])]), 1],
    [
      "seventeen frames of one block",
      Buffer.concat([h2.frame(1, 0, 1), ...Array(16).fill(h2.frame(9, 0, 1))]),
      11,
    ],
    [
      "a block above its limit",
      Buffer.concat([h2.frame(1, 0, 1), ...Array(5).fill(h2.frame(9, 0, 1, "x".repeat(16_000)))]),
      11,
    ],
  ];
  for (const [what, bytes, code] of rows) {
    it(`${what}: ${code}`, () => {
      assert.equal(read(bytes).at(-1), `error ${code}`);
      assert.equal(read(...Array.from(bytes, (octet) => Buffer.of(octet))).at(-1), `error ${code}`);
    });
  }

  it("sixteen frames of one block, and the reserved bit, are right", () => {
    const block = [h2.frame(1, 0, 1, "a"), ...Array(14).fill(h2.frame(9, 0, 1)), h2.frame(9, 4, 1, "b")];
    assert.deepEqual(read(Buffer.concat(block)), ["headers 1 false ab"]);
    assert.deepEqual(read(h2.windowUpdate(0x80000001, 0x80000005)), ["window 1 5"]);
  });
});

describe("the first frame", () => {
  const first = (bytes: Buffer): string => {
    try {
      new FrameReader(new Recorder(), 65_536).execute(bytes, bytes.length);
      return "";
    } catch (error) {
      assert.ok(error instanceof Violation && error.code === 1);
      return error.message;
    }
  };

  it("must be SETTINGS, and not its acknowledgement", () => {
    assert.match(first(h2.ping()), /not SETTINGS/);
    assert.match(first(h2.settingsAck()), /not SETTINGS/);
    assert.equal(first(h2.settings()), "");
  });

  it("may turn out to be HTTP/1.1", () => {
    assert.match(first(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")), /answered in HTTP\/1\.1/);
  });
});

describe("any octets", () => {
  it("give events or one error, cut or not", () => {
    const type = fc.integer({ min: 0, max: 10 });
    const anyFrame = fc
      .tuple(
        type,
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 4 }),
        fc.uint8Array({ maxLength: 20 }),
      )
      .map(([kind, flags, id, payload]) => h2.frame(kind, flags, id, payload));
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.integer({ min: 0, max: 200 }), (list, place) => {
        const bytes = Buffer.concat(list);
        if (bytes.length === 0) return;
        const cut = place % bytes.length;
        assert.deepEqual(read(bytes.subarray(0, cut), bytes.subarray(cut)), read(bytes));
      }),
      { seed: SEED, numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (bytes) => {
        read(bytes);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  it("take no longer octet by octet than a few times the whole", () => {
    const bytes = Buffer.concat(
      Array(6000)
        .fill(h2.ping())
        .concat(Array(60).fill(h2.data(1, "x".repeat(16_000)))),
    );
    const cost = (step: number): number => {
      const sink = new Recorder();
      sink.events.push = () => 0;
      const reader = new FrameReader(sink, 65_536);
      reader.execute(h2.settings(), 9);
      const start = process.cpuUsage();
      for (let at = 0; at < bytes.length; at += step)
        reader.execute(bytes.subarray(at, at + step), Math.min(step, bytes.length - at));
      return process.cpuUsage(start).user;
    };
    cost(65_536);
    // A reader that starts anew with each octet would need thousands of times as long.
    assert.ok(cost(1) < 200 * Math.max(5000, cost(65_536)));
  });
});
