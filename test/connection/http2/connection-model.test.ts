/**
 * Random exchanges on one connection with a server that mostly keeps the rules: begun, paused, cancelled, refused, reset,
 * timed out, and cut off. After every step what the owner knows is true, and in the end:
 *  1. every exchange was told one end, or given back, or cancelled, and heard nothing behind that;
 *  2. a body that was told whole is the one that was sent;
 *  3. no timer is left, and nothing is open.
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Stream } from "../../../src/connection/connection.ts";
import { ProtocolError } from "../../../src/core/errors.ts";
import { settle } from "../../kit/clock.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { type Random, SEED, seededRandom } from "../../kit/seed.ts";
import { Bench, Sent } from "./bench.ts";

const ROUNDS = Number(process.env.TEST_MODEL_SEEDS ?? 60);
const STEPS = 120;
const OK: h2.FieldPair = [":status", "200"];

/** One exchange, and what the server has done with it. */
interface Tried {
  readonly sent: Sent;
  stream: Stream | null;
  id: number;
  head: boolean;
  body: string;
  over: boolean;
  cancelled: boolean;
}

class Trial {
  readonly #random: Random;
  readonly #bench: Bench;
  readonly #all: Tried[] = [];

  constructor(random: Random, bench: Bench) {
    this.#random = random;
    this.#bench = bench;
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS && this.#bench.deaths === 0; step++) {
      await this.#step();
      this.#check();
    }
    if (this.#bench.deaths === 0) await this.#complete();
    this.#bench.connection.close(this.#random.chance() ? new ProtocolError("closed") : undefined);
    await this.#bench.clock.elapse(30_000);
    this.#finish();
  }

  /** The server answers all that is open, and every reader reads: nothing hangs. */
  async #complete(): Promise<void> {
    await settle();
    this.#learnIds();
    for (const tried of this.#all) {
      tried.sent.takes = true;
      if (tried.id === 0 || tried.over) continue;
      if (!tried.head) this.#bench.answer(h2.headers(tried.id, [OK]));
      tried.head = tried.over = true;
      this.#bench.answer(h2.data(tried.id, "", true));
    }
    await settle();
    for (const { stream } of this.#all) stream?.resume();
    await settle();
    for (const tried of this.#all) {
      if (tried.id > 0 && !tried.cancelled)
        assert.equal(this.#ends(tried), 1, `${tried.id} ${tried.sent.log}`);
    }
  }

  async #step(): Promise<void> {
    const { connection, clock } = this.#bench;
    const random = this.#random;
    const what = random.integer(0, 13);
    if (what <= 3 && connection.free > 0) this.#start();
    else if (what === 4) this.#cancel();
    else if (what === 5) this.#readOrNot();
    else if (what === 6 && random.chance(0.2)) await clock.elapse(random.integer(1, 900));
    else if (what === 7 && random.chance(0.05)) connection.retire();
    else this.#answer();
    if (random.chance(0.7)) await settle();
    this.#learnIds();
  }

  #readOrNot(): void {
    for (const { sent, stream } of this.#all) {
      sent.takes = this.#random.chance();
      if (this.#random.chance(0.3)) stream?.resume();
    }
  }

  #start(): void {
    const random = this.#random;
    const source = { length: undefined, open: () => ["ab", "cd"] };
    const body = random.pick([null, Buffer.from("body"), source]);
    const sent = new Sent(
      { method: body === null ? "GET" : "PUT" },
      {
        collect: random.chance(),
        readTimeout: random.pick([500, Number.POSITIVE_INFINITY]),
        expectContinue: body !== null && random.chance(0.3),
        ...(body === null ? {} : { body }),
      },
    );
    const tried: Tried = {
      sent,
      stream: null,
      id: 0,
      head: false,
      body: "",
      over: false,
      cancelled: false,
    };
    this.#all.push(tried);
    tried.stream = this.#bench.connection.start(sent);
  }

  /** A stream's id is known once it has begun. */
  #learnIds(): void {
    for (const tried of this.#all) tried.id ||= (tried.stream as unknown as { id: number }).id;
  }

  #cancel(): void {
    const open = this.#all.filter((tried) => this.#ends(tried) === 0);
    if (open.length === 0) return;
    const tried = this.#random.pick(open);
    tried.cancelled = tried.over = true;
    tried.stream!.cancel();
  }

  #answer(): void {
    const random = this.#random;
    const written = this.#bench.connection.session.writtenId;
    const open = this.#all.filter(({ id, over }) => id > 0 && id <= written && !over);
    if (open.length === 0) {
      this.#bench.answer(h2.ping());
      return;
    }
    const tried = random.pick(open);
    const { id } = tried;
    const what = random.integer(0, 19);
    if (what === 0) this.#end(tried, h2.resetStream(id, random.pick([2, 7, 8])));
    else if (what === 1) this.#end(tried, h2.headers(id, [["A", "b"]]));
    else if (what === 2 && random.chance(0.1)) this.#goAway(random.pick(open).id);
    else if (what === 3)
      this.#bench.answer(h2.settings([3, random.integer(0, 12)], [4, random.integer(0, 70_000)]));
    else if (what === 4) this.#bench.answer(h2.windowUpdate(0, 1000), h2.windowUpdate(id, 1000));
    else if (what === 5 && random.chance(0.05)) this.#bench.server.destroy();
    else if (!tried.head) {
      if (random.chance(0.2)) this.#bench.answer(h2.headers(id, [[":status", "100"]]));
      tried.head = true;
      this.#bench.answer(h2.headers(id, [OK]));
    } else this.#data(tried);
  }

  #data(tried: Tried): void {
    const part = "x".repeat(this.#random.integer(0, 5000)) + tried.id;
    tried.body += part;
    tried.over = this.#random.chance(0.4);
    this.#bench.answer(h2.data(tried.id, part, tried.over));
  }

  #end(tried: Tried, frame: Uint8Array): void {
    tried.over = true;
    this.#bench.answer(frame);
  }

  #goAway(last: number): void {
    for (const tried of this.#all) if (tried.id > last) tried.over = true;
    this.#bench.answer(h2.goAway(last));
  }

  /** How often an exchange was told its end, or given back. */
  #ends({ sent }: Tried): number {
    const told = sent.log.filter((event) => /^(end|error)/.test(event)).length;
    return told + this.#bench.unsents.filter((unsent) => unsent === sent).length;
  }

  #check(): void {
    const { connection } = this.#bench;
    assert.ok(connection.open >= 0 && connection.free >= 0);
    for (const tried of this.#all) {
      assert.ok(this.#ends(tried) <= (tried.cancelled ? 0 : 1), tried.sent.log.join());
      const end = tried.sent.log.findIndex((event) => /^(end|error)/.test(event));
      if (end !== -1) assert.equal(end, tried.sent.log.length - 1, tried.sent.log.join());
    }
  }

  #finish(): void {
    const { connection, clock, deaths, client } = this.#bench;
    this.#check();
    assert.deepEqual([connection.open, connection.free, deaths, clock.pending], [0, 0, 1, 0]);
    assert.equal(client.destroyed, true);
    for (const { sent, body } of this.#all) {
      if (!/^end/.test(sent.log.at(-1) ?? "")) continue;
      assert.equal(sent.received?.toString("latin1") ?? sent.streamed, body);
    }
  }
}

it("random exchanges on one connection end once each, whatever the server does", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = seededRandom((SEED + round) >>> 0);
    const bench = await Bench.open({ maxStreams: random.integer(1, 12) });
    try {
      await new Trial(random, bench).run();
    } catch (error) {
      throw new Error(`the trial of TEST_SEED=${random.seed}`, { cause: error });
    }
  }
});
