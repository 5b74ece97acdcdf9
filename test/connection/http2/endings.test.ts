/** How exchanges end that get no whole answer, and what is never begun twice. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settle } from "../../kit/clock.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { describe as words } from "../../protocol/h2/conversation.ts";
import { Bench, response, Sent } from "./bench.ts";

const OK: h2.FieldPair = [":status", "200"];

function written(bench: Bench): string[] {
  return bench.frames().map(words);
}

describe("an answer that has begun", () => {
  it("is never begun again, although the server refuses its stream behind it", async () => {
    const bench = await Bench.open();
    const sent = new Sent({}, { collect: false });
    await bench.send(sent);
    await bench.answered(h2.headers(1, [OK]), h2.data(1, "half"), h2.resetStream(1, 7));
    assert.deepEqual(bench.unsents, []);
    assert.deepEqual(sent.log, ["head 200", "body", "error ProtocolError"]);
    assert.deepEqual([sent.error!.processed, sent.error!.responseStarted], [undefined, true]);
  });

  it("is never begun again, although GOAWAY says that it was not processed", async () => {
    const bench = await Bench.open();
    const [first, second] = [new Sent(), new Sent({}, { collect: false })];
    await bench.send(first);
    await bench.send(second);
    await bench.answered(response(1), h2.headers(3, [OK]), h2.data(3, "half"), h2.goAway(1));
    assert.deepEqual(bench.unsents, []);
    assert.deepEqual(second.log, ["head 200", "body", "error ProtocolError"]);
    assert.deepEqual([second.error!.processed, second.error!.responseStarted], [undefined, true]);
  });
});

describe("a request that servers close their connections before", () => {
  it("starts again twice, then says so: any method may go again", async () => {
    const sent = new Sent({ method: "POST" }, { body: Buffer.from("body") });
    for (const again of [true, true, false]) {
      const bench = await Bench.open();
      await bench.send(sent);
      await bench.answered(h2.goAway(0, 0, "restarting"));
      assert.deepEqual(bench.unsents, again ? [sent] : []);
    }
    assert.match(sent.error!.message, /before it processed the request: NO_ERROR \(0\), saying "restarting"/);
    assert.deepEqual([sent.error!.processed, sent.error!.h2Code, sent.starts], [false, 0, 3]);
  });
});

describe("a final answer that comes instead of 100 (Continue)", () => {
  it("keeps the body here, however long its own takes", async () => {
    const bench = await Bench.open();
    const sent = new Sent({ method: "PUT" }, { body: Buffer.from("body"), expectContinue: true });
    await bench.send(sent);
    written(bench);
    await bench.answered(h2.headers(1, [[":status", "413"]]), h2.data(1, "too "));
    await bench.clock.elapse(2000);
    assert.deepEqual(written(bench), []);
    await bench.answered(h2.data(1, "much", true));
    assert.deepEqual(sent.log, ["head 413", "end too much"]);
    assert.deepEqual(written(bench), ["RST_STREAM 1 8"]);
  });
});

describe("an upload of very many small parts", () => {
  it("leaves the event loop its turns: parts do not pile up", async () => {
    const bench = await Bench.open();
    await bench.answered(h2.settings([4, 10_000_000]), h2.windowUpdate(0, 10_000_000));
    const octet = Buffer.from("x");
    let given = 0;
    const source = {
      length: undefined,
      *open(): Generator<Buffer> {
        for (; given < 300_000; given++) yield octet;
      },
    };
    const sent = new Sent({ method: "PUT" }, { body: source });
    bench.client.stall();
    bench.connection.start(sent);
    await settle();
    assert.ok(given < 100_000, `${given} parts wait`);
    bench.client.unstall();
    while (sent.log.length === 0) await settle();
    assert.equal(sent.sent, 300_000);
  });
});

describe("a connection that is given up", () => {
  it("for want of an acknowledgement says so in GOAWAY", async () => {
    const bench = await Bench.open({ settled: false });
    bench.answer(h2.settings());
    await settle();
    written(bench);
    await bench.clock.elapse(10_100);
    assert.equal(bench.deaths, 1);
    await settle();
    assert.match(written(bench).join(), /^GOAWAY 0 4/);
  });
});
