/**
 * Random conversations with a server that mostly keeps the rules, held against a model that knows streams only by what
 * was said of them. After every step no credit is lost (checked in `Conversation`), and:
 *  1. every stream that began is told exactly one end;
 *  2. a body that is told is the one that was sent;
 *  3. no upload sends more than its windows, nor anything in a wrong order;
 *  4. what is written is whole frames, HPACK included, of streams that are open.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FieldDecoder } from "../../../src/protocol/h2/field-decoder.ts";
import type { H2Stream } from "../../../src/protocol/h2/stream.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { type Random, SEED, seededRandom } from "../../kit/seed.ts";
import { Conversation } from "./conversation.ts";

const ROUNDS = Number(process.env.TEST_MODEL_SEEDS ?? 150);
const STEPS = 250;
const OK: h2.FieldPair = [":status", "200"];
const PART = Buffer.alloc(5000, "u");

/** What the server knows of a stream. */
interface ServerStream {
  readonly id: number;
  readonly stream: H2Stream;
  head: boolean;
  sent: string;
  /** Octets that its window still takes, as the server counts. */
  window: number;
  /** Octets of the request's body that came, and may still come. */
  upload: number;
  uploadWindow: number;
  requestEnded: boolean;
  ended: "no" | "by server" | "by client";
}

class World {
  readonly random: Random;
  readonly talk: Conversation;
  readonly streams = new Map<number, ServerStream>();
  readonly decoder = new FieldDecoder(1_000_000);
  initialWindow = 65_535;
  connectionWindow = 16_777_216;
  uploadWindow = 65_535;
  goneAway = false;
  /** Octets that wait to be consumed. */
  readonly unread = new Map<H2Stream, number>();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.talk = new Conversation({ maxStreams: this.random.integer(1, 20), consumes: false });
  }

  run(): void {
    for (let step = 0; step < STEPS && this.talk.failure === null; step++) {
      this.talk.now += this.random.integer(0, 50);
      this.#step();
      this.#readOutput();
      this.talk.check();
    }
    this.#finish();
  }

  #step(): void {
    const { random, talk } = this;
    const open = [...this.streams.values()].filter((stream) => stream.ended === "no");
    const target = open.length > 0 ? random.pick(open) : null;
    const what = random.integer(0, 13);
    if (what <= 3 || target === null) this.#begin();
    else if (what <= 6) this.#respond(target);
    else if (what === 7) this.#consume(target);
    else if (what === 8) this.#upload(target);
    else if (what === 9) this.#giveWindow(target);
    else if (what === 10) this.#cancel(target);
    else if (what === 11) talk.receive(h2.ping());
    else if (what === 12) this.#reset(target);
    else this.#settings();
    if (random.chance(0.002)) this.#goAway();
  }

  #begin(): void {
    const { talk } = this;
    if (talk.session.free === 0) return;
    const stream = talk.begin({ target: `/${this.streams.size}` }, this.random.chance());
    assert.equal(this.streams.has(stream.id), false);
    this.unread.set(stream, 0);
    this.streams.set(stream.id, {
      id: stream.id,
      stream,
      head: false,
      sent: "",
      window: 1_048_576,
      upload: 0,
      uploadWindow: 0,
      requestEnded: !stream.sending,
      ended: "no",
    });
  }

  #respond(server: ServerStream): void {
    const { random, talk } = this;
    if (!server.head) {
      if (random.chance(0.2))
        talk.receive(
          h2.headers(server.id, [
            [":status", "103"],
            ["link", "x"],
          ]),
        );
      const indexed = Buffer.concat([
        Buffer.of(0x88, 0x40),
        h2.string("x-id"),
        h2.string(`${server.id % 7}`),
      ]);
      talk.receive(h2.headers(server.id, random.chance() ? [OK] : indexed));
      server.head = true;
      return;
    }
    const end = random.chance(0.3);
    const length = Math.min(random.integer(0, 16_000), server.window, this.connectionWindow);
    const content = String.fromCharCode(97 + random.integer(0, 25)).repeat(length);
    const padding =
      length > 0 && length + 256 < Math.min(server.window, this.connectionWindow)
        ? random.integer(0, 255)
        : -1;
    talk.receive(
      padding >= 0 ? h2.paddedData(server.id, content, padding, end) : h2.data(server.id, content, end),
    );
    this.#count(server, length + padding + 1);
    this.unread.set(server.stream, this.unread.get(server.stream)! + length);
    server.sent += content;
    if (!end) return;
    server.ended = "by server";
    assert.equal(talk.told().filter((event) => event.startsWith(`${server.id} end `)).length, 1);
    assert.equal(talk.bodies.get(server.id) ?? "", server.sent);
  }

  #count(server: ServerStream, octets: number): void {
    server.window -= octets;
    this.connectionWindow -= octets;
  }

  #consume(server: ServerStream): void {
    const length = this.random.integer(0, this.unread.get(server.stream)!);
    this.talk.session.consume(server.stream, length);
    this.unread.set(server.stream, this.unread.get(server.stream)! - length);
  }

  #upload(server: ServerStream): void {
    if (server.stream.sending && !server.stream.lastQueued)
      this.talk.session.data(server.stream, PART, this.random.chance(0.2));
  }

  #giveWindow(server: ServerStream): void {
    const increment = this.random.integer(1, 50_000);
    this.talk.receive(h2.windowUpdate(server.id, increment), h2.windowUpdate(0, increment));
    server.uploadWindow += increment;
    this.uploadWindow += increment;
  }

  #cancel(server: ServerStream): void {
    this.talk.session.reset(server.stream, 8);
    server.ended = "by client";
    // Late frames that were under way.
    if (server.head && this.random.chance()) {
      this.talk.receive(h2.data(server.id, "late"));
      this.connectionWindow -= 4;
    }
  }

  #reset(server: ServerStream): void {
    this.talk.receive(h2.resetStream(server.id, 2));
    server.ended = "by server";
    assert.ok(this.talk.told().includes(`${server.id} reset 2`));
  }

  #settings(): void {
    this.initialWindow = this.random.integer(0, 100_000);
    const table = this.random.pick([0, 100, 4096, 10_000]);
    this.talk.receive(h2.settings([1, table], [4, this.initialWindow], [3, this.random.integer(0, 30)]));
  }

  #goAway(): void {
    const ids = [...this.streams.keys()];
    const last = this.random.chance() ? this.random.pick([0, ...ids]) : 2 ** 31 - 1;
    if (this.goneAway) return;
    this.goneAway = true;
    this.talk.receive(h2.goAway(last));
    const told = this.talk.told();
    for (const server of this.streams.values()) {
      const unprocessed = server.ended === "no" && server.id > last;
      assert.equal(told.includes(`${server.id} unprocessed`), unprocessed);
      if (unprocessed) server.ended = "by server";
    }
  }

  /** What the client wrote, as the server reads it. */
  #readOutput(): void {
    for (const { type, flags, id, payload } of this.talk.sentFrames()) {
      if (type === 1) this.decoder.decode(payload, 0, payload.length);
      else if (type === 0) this.#readData(this.streams.get(id)!, payload.length, (flags & 1) === 1);
      else if (type === 8 && id === 0) this.connectionWindow += payload.readUInt32BE(0);
      else if (type === 8) this.streams.get(id)!.window += payload.readUInt32BE(0);
      else if (type === 3) assert.notEqual(this.streams.get(id)!.ended, "no");
    }
    assert.ok(this.connectionWindow >= 0 && this.connectionWindow <= 16_777_216);
  }

  #readData(server: ServerStream, length: number, end: boolean): void {
    assert.equal(server.requestEnded, false);
    server.upload += length;
    this.uploadWindow -= length;
    assert.ok(this.uploadWindow >= 0, "the connection's window is kept to");
    assert.ok(length === 0 || server.upload <= server.uploadWindow + 100_000);
    server.requestEnded = end;
  }

  #finish(): void {
    assert.equal(this.talk.failure, null);
    const { session } = this.talk;
    for (const server of this.streams.values()) {
      session.reset(server.stream, 8);
      server.ended = "by client";
    }
    assert.equal(session.streams.count, 0);
    assert.deepEqual(session.streams.list(), []);
    this.talk.receive(h2.ping());
    // Whatever was cancelled, reset or left unread: the server has its window again, but for what is not due yet.
    this.#readOutput();
    assert.ok(this.connectionWindow > 16_777_216 / 2);
  }
}

describe("random conversations", () => {
  for (let part = 0; part < 5; part++) {
    it(`keep every rule, part ${part + 1}`, () => {
      for (let round = part; round < ROUNDS; round += 5) {
        const seed = (SEED + round) >>> 0;
        try {
          new World(seed).run();
        } catch (error) {
          throw new Error(`the conversation of TEST_SEED=${seed}`, { cause: error });
        }
      }
    });
  }
});

describe("conversations with a server that breaks the rules", () => {
  it("end in one error of the connection, or go on; each stream is told one end", () => {
    for (let round = 0; round < 400; round++) {
      const random = seededRandom((SEED + round) >>> 0);
      const talk = new Conversation();
      const begun: H2Stream[] = [];
      for (let step = 0; step < 60 && talk.failure === null; step++) {
        if (talk.session.free > 0 && random.chance(0.3)) begun.push(talk.begin({}, random.chance()));
        talk.receive(...Array.from({ length: random.integer(1, 3) }, () => anyFrame(random)));
        talk.sent();
      }
      for (const { id } of begun) {
        const ends = talk.events.filter((event) =>
          new RegExp(`^${id} (end|truncated|violation|reset|unprocessed)`).test(event),
        );
        const open = talk.session.streams.get(id) !== null;
        assert.equal(ends.length, open ? 0 : 1, `stream ${id} of seed ${random.seed}: ${ends}`);
      }
    }
  });

  function anyFrame(random: Random): Buffer {
    const id = random.integer(0, 12);
    const odd = 2 * random.integer(0, 6) + 1;
    const fields: h2.FieldPair[] = [[":status", random.pick(["200", "103", "204", "9", "101"])]];
    if (random.chance(0.3)) fields.push(["content-length", `${random.integer(0, 4)}`]);
    switch (random.integer(0, 11)) {
      case 0:
      case 1:
      case 2:
        return h2.headers(odd, fields, random.chance(0.3));
      case 3:
      case 4:
        return h2.data(odd, "x".repeat(random.integer(0, 3)), random.chance(0.4));
      case 5:
        return h2.resetStream(odd, random.integer(0, 14));
      case 6:
        return h2.windowUpdate(random.pick([0, odd]), random.pick([0, 1, 5, 2 ** 31 - 1]));
      case 7:
        return h2.settings([random.integer(0, 9), random.pick([0, 1, 100, 20_000])]);
      case 8:
        return h2.paddedData(odd, "x", random.integer(0, 3));
      case 9:
        return random.chance(0.1) ? h2.goAway(random.pick([0, odd])) : h2.ping();
      case 10:
        return h2.frame(
          random.integer(0, 12),
          random.integer(0, 255),
          id,
          Buffer.alloc(random.integer(0, 10)),
        );
      default:
        return h2.headers(
          odd,
          Buffer.from(Array.from({ length: random.integer(0, 8) }, () => random.integer(0, 255))),
        );
    }
  }
});
