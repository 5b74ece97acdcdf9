/** What a connection can take: it never keeps a place for what cannot come any more, and never waits without an end. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LAST_STREAM_ID } from "../../../src/protocol/h2/limits.ts";
import { settle } from "../../kit/clock.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { describe as words } from "../../protocol/h2/conversation.ts";
import { Bench, response, Sent } from "./bench.ts";

function written(bench: Bench): string[] {
  return bench.frames().map(words);
}

describe("the capacity of an HTTP/2 connection", () => {
  it("whose streams were all aborted in silence asks for a sign of life: nobody would wait for it for ever", async () => {
    const bench = await Bench.open({ maxStreams: 2 });
    const streams = [await bench.send(), await bench.send()];
    written(bench);
    for (const stream of streams) stream.cancel();
    await settle();
    assert.deepEqual(written(bench), ["RST_STREAM 1 8", "PING", "RST_STREAM 3 8"]);
    assert.deepEqual([bench.connection.open, bench.connection.free], [0, 0]);
    await bench.answered(h2.ping("\0\0\0\0\0\0\0\x01", 1));
    assert.equal(bench.connection.free, 2);
    await bench.clock.elapse(5000);
    assert.equal(bench.deaths, 0);
  });

  it("whose streams were all aborted ends without a sign of life", async () => {
    const bench = await Bench.open({ maxStreams: 1 });
    (await bench.send()).cancel();
    await bench.clock.elapse(1100);
    assert.equal(bench.deaths, 1);
  });

  it("is what the server allowed last time, until it says what it allows now", async () => {
    for (const [firstStreams, free] of [
      [8, 8],
      [1000, 100],
    ] as const) {
      const bench = await Bench.open({ firstStreams, settled: false });
      assert.equal(bench.connection.free, free);
      await bench.answered(h2.settings([3, 20]));
      assert.equal(bench.connection.free, 20);
    }
    const bench = await Bench.open({ firstStreams: 8, maxStreams: 3, settled: false });
    assert.equal(bench.connection.free, 3);
  });

  it("that has places left is not asked after an abort: servers count PINGs", async () => {
    const bench = await Bench.open({ maxStreams: 2 });
    const stream = await bench.send();
    written(bench);
    stream.cancel();
    await settle();
    assert.deepEqual(written(bench), ["RST_STREAM 1 8"]);
    assert.equal(bench.connection.free, 1);
  });

  it("that the server lets open no stream at all is given up after ten seconds", async () => {
    const bench = await Bench.open();
    await bench.answered(h2.settings([3, 0]));
    assert.equal(bench.connection.free, 0);
    await bench.clock.elapse(9000);
    assert.equal(bench.deaths, 0);
    await bench.clock.elapse(1100);
    assert.equal(bench.deaths, 1);
  });

  it("that the server closes for a while is as good as before when it opens again", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    await bench.send(sent);
    await bench.answered(h2.settings([3, 0]));
    await bench.clock.elapse(9000);
    await bench.answered(response(1), h2.settings([3, 5]));
    await bench.clock.elapse(20_000);
    assert.deepEqual([bench.deaths, bench.connection.free], [0, 5]);
    assert.deepEqual(sent.log, ["head 200", "end ok"]);
  });

  it("that the server closes for good ends with its last stream", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    await bench.send(sent);
    await bench.answered(h2.settings([3, 0]));
    await bench.clock.elapse(20_000);
    assert.equal(bench.deaths, 0);
    await bench.answered(response(1));
    assert.deepEqual(sent.log, ["head 200", "end ok"]);
    assert.equal(bench.deaths, 1);
  });

  it("that is lowered below what is open takes nothing until enough has ended", async () => {
    const bench = await Bench.open();
    const sents = Array.from({ length: 4 }, () => new Sent());
    for (const sent of sents) await bench.send(sent);
    await bench.answered(h2.settings([3, 2]));
    assert.deepEqual([bench.connection.open, bench.connection.free], [4, 0]);
    await bench.answered(response(1), response(3));
    assert.equal(bench.connection.free, 0);
    await bench.answered(response(5));
    assert.equal(bench.connection.free, 1);
    await bench.answered(response(7));
    assert.ok(sents.every(({ log }) => log.at(-1) === "end ok"));
  });

  it("whose ids are used up closes with the last stream: a pool would keep it, and wait", async () => {
    const bench = await Bench.open();
    bench.connection.session.streams.lastId = LAST_STREAM_ID - 1;
    const sent = new Sent();
    await bench.send(sent);
    assert.equal(bench.connection.free, 0);
    assert.match(String(bench.connection), / draining$/);
    await bench.answered(response(LAST_STREAM_ID + 1));
    assert.equal(sent.log.at(-1), "end ok");
    assert.equal(bench.deaths, 1);
  });
});
