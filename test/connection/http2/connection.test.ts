import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IncompleteRead, InvalidHeader, ProtocolError, ReadTimeoutError } from "../../../src/core/errors.ts";
import { settle } from "../../kit/clock.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { describe as words } from "../../protocol/h2/conversation.ts";
import { Bench, response, Sent } from "./bench.ts";

const OK: h2.FieldPair = [":status", "200"];

function written(bench: Bench): string[] {
  return bench.frames().map(words);
}

describe("an HTTP/2 connection", () => {
  it("sends preface, settings and the first requests in one write", async () => {
    const bench = new Bench();
    const [one, two] = [new Sent(), new Sent()];
    bench.connection.start(one);
    bench.connection.start(two);
    await settle();
    assert.equal(bench.client.packetsSent, 1);
    assert.match(written(bench).join(), /^SETTINGS,WINDOW_UPDATE 0 \d+,HEADERS 1 \d+ end,HEADERS 3 \d+ end$/);
    await bench.answered(h2.settings([3, 10]), h2.settingsAck(), response(3, "two"), response(1, "one"));
    assert.deepEqual(one.log, ["head 200", "end one"]);
    assert.deepEqual(two.log, ["head 200", "end two"]);
    assert.equal(bench.connection.free, 10);
  });

  it("writes once a turn, whatever was answered in it", async () => {
    const bench = await Bench.open();
    for (let count = 0; count < 10; count++) bench.connection.start(new Sent());
    await settle();
    const before = bench.client.packetsSent;
    const more: Sent[] = [];
    bench.log.length = 0;
    const again = (): void => {
      more.push(new Sent());
      bench.connection.start(more.at(-1)!);
    };
    for (let id = 1; id <= 9; id += 2) {
      bench.answer(response(id));
      queueMicrotask(again);
    }
    await settle();
    assert.equal(more.length, 5);
    assert.equal(bench.client.packetsSent - before, 1);
  });

  it("tells its owner of capacity before the exchange hears its end", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    await bench.send(sent);
    bench.log.length = 0;
    sent.onAnything = (event) => bench.log.push(event);
    await bench.answered(response(1));
    assert.deepEqual(bench.log.slice(0, 3), ["head 200", "open=0 free=1000", "end ok"]);
  });

  it("knows its limits: the server's, the user's, and none of those at its end", async () => {
    const bench = await Bench.open({ maxStreams: 5 });
    assert.equal(bench.connection.free, 5);
    await bench.answered(h2.settings([3, 2]));
    assert.equal(bench.connection.free, 2);
    await bench.send();
    assert.deepEqual([bench.connection.open, bench.connection.free], [1, 1]);
    bench.connection.retire();
    assert.deepEqual([bench.connection.open, bench.connection.free], [1, 0]);
    await bench.answered(response(1));
    assert.equal(bench.deaths, 1);
    assert.equal(words(bench.frames().at(-1)!), "GOAWAY 0 0");
  });

  it("prints what it is doing", async () => {
    const bench = await Bench.open();
    const { id } = bench.connection.info;
    assert.equal(String(bench.connection), `#${id} test:443 h2 open=0 free=1000`);
    await bench.send();
    bench.connection.retire();
    assert.equal(String(bench.connection), `#${id} test:443 h2 open=1 free=0 draining`);
    bench.connection.close();
    assert.equal(String(bench.connection), `#${id} test:443 h2 closed`);
  });

  it("takes what the server said before it was born", async () => {
    const bench = await Bench.open({ settled: false });
    bench.answer(h2.settings([3, 7]));
    await settle();
    assert.equal(bench.connection.free, 7);
  });

  it("asks for nothing on a used connection before the event loop has polled", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    bench.connection.start(sent);
    assert.deepEqual([bench.connection.open, sent.starts], [1, 0]);
    bench.answer(h2.goAway(0));
    await settle();
    assert.deepEqual(bench.unsents, [sent]);
    assert.equal(sent.starts, 0);
    assert.equal(bench.deaths, 1);
  });

  it("starts again what waited for the poll when the wire is gone", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    bench.connection.start(sent);
    bench.server.destroy();
    await settle();
    assert.deepEqual(bench.unsents, [sent]);
    assert.deepEqual(sent.log, []);
  });

  it("refuses a head that HTTP/2 cannot have, and is as good as before", async () => {
    const bench = await Bench.open();
    const bad = new Sent({}, { headers: { Upgrade: "websocket" } });
    await bench.send(bad);
    assert.ok(bad.error instanceof InvalidHeader);
    assert.equal(bench.connection.open, 0);
    const good = new Sent();
    await bench.send(good);
    await bench.answered(response(1));
    assert.deepEqual(good.log, ["head 200", "end ok"]);
  });
});

describe("responses over HTTP/2", () => {
  it("have head, body, facts and trailers", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    await bench.send(sent);
    await bench.answered(
      h2.headers(1, [
        [":status", "103"],
        ["link", "x"],
      ]),
      h2.headers(1, [OK, ["content-length", "5"], ["x-a", "1"]]),
      h2.data(1, "hello"),
      h2.headers(1, [["x-sum", "9"]], true),
    );
    assert.deepEqual(sent.log, ["informational 103", "head 200", "end hello"]);
    assert.equal(sent.bodyLength, 5);
    assert.equal(sent.responseHead!.version, 20);
    assert.equal(sent.responseHead!.fields().get("X-A"), "1");
    assert.match(String(sent.responseHead), /^:status: 200\r\ncontent-length: 5\r\n/);
    assert.equal(sent.trailers!.read().get("x-sum"), "9");
  });

  it("are collected whole, of known length or not, in whatever pieces", async () => {
    for (const chunkSize of [1, 1000, 100_000]) {
      const bench = await Bench.open({ wire: { server: { chunkSize } } });
      const [known, unknown] = [new Sent(), new Sent()];
      await bench.send(known);
      await bench.send(unknown);
      const body = "0123456789".repeat(3000);
      const parts = [body.slice(0, 16_000), body.slice(16_000)];
      await bench.answered(
        h2.headers(1, [OK, ["content-length", "30000"]]),
        h2.headers(3, [OK]),
        ...parts.flatMap((part, at) => [h2.data(1, part, at === 1), h2.data(3, part, at === 1)]),
      );
      for (let turn = 0; turn < 70_000 && known.received === null; turn++) await Promise.resolve();
      await settle();
      assert.equal(known.received?.toString(), body);
      assert.equal(unknown.received?.toString(), body);
    }
  });

  it("are streamed; a slow reader gets no more than its window, and holds up nobody", async () => {
    const bench = await Bench.open();
    const slow = new Sent({}, { collect: false });
    slow.takes = false;
    const stream = await bench.send(slow);
    const other = new Sent();
    await bench.send(other);
    const block = "x".repeat(16_384);
    await bench.answered(h2.headers(1, [OK]), ...Array(64).fill(h2.data(1, block)));
    assert.equal(slow.streamed.length, 16_384);
    await bench.answered(response(3));
    assert.deepEqual(other.log, ["head 200", "end ok"]);
    assert.deepEqual(
      written(bench).filter((frame) => frame.startsWith("WINDOW_UPDATE 1")),
      [],
    );
    slow.takes = true;
    stream.resume();
    await settle();
    assert.equal(slow.streamed.length, 1_048_576);
    assert.ok(written(bench).some((frame) => frame.startsWith("WINDOW_UPDATE 1")));
    await bench.answered(h2.data(1, "end", true));
    assert.equal(slow.log.at(-1), "end");
    assert.ok(slow.streamed.endsWith("xend"));
  });

  it("end for a paused reader when it has taken all, though the connection may be gone", async () => {
    const bench = await Bench.open();
    const slow = new Sent({}, { collect: false });
    slow.takes = false;
    const stream = await bench.send(slow);
    await bench.answered(
      h2.headers(1, [OK]),
      h2.data(1, "one"),
      h2.data(1, "two"),
      h2.data(1, "three", true),
    );
    assert.equal(bench.connection.open, 0);
    bench.server.destroy();
    await settle();
    assert.equal(bench.deaths, 1);
    assert.equal(slow.streamed, "one");
    stream.resume();
    assert.equal(slow.streamed, "onetwothree");
    assert.deepEqual(slow.log, ["head 200", "body", "body", "end"]);
  });

  it("join small parts for a paused reader", async () => {
    const bench = await Bench.open();
    const slow = new Sent({}, { collect: false });
    slow.takes = false;
    const stream = await bench.send(slow);
    await bench.answered(h2.headers(1, [OK]), ...Array(5000).fill(h2.data(1, "x")));
    slow.takes = true;
    stream.resume();
    assert.equal(slow.streamed.length, 5000);
    assert.equal(slow.log.filter((event) => event === "body").length, 2);
  });

  it("fill the memory in which they wait for a paused reader: it is no larger than the window", async () => {
    const bench = await Bench.open();
    const slow = new Sent({}, { collect: false });
    slow.takes = false;
    const stream = await bench.send(slow);
    const frame = h2.data(1, "0123456789".repeat(900));
    await bench.answered(h2.headers(1, [OK]), ...Array(100).fill(frame));
    slow.takes = true;
    stream.resume();
    assert.equal(slow.streamed, "0123456789".repeat(90_000));
    const parts = slow.log.filter((event) => event === "body").length;
    assert.ok(parts <= 900_000 / 16_384 + 2, `${parts} parts`);
  });

  it("may be held: the stream counts until it is released", async () => {
    const bench = await Bench.open({ maxStreams: 2 });
    const sent = new Sent({}, { parks: true });
    const stream = await bench.send(sent);
    await bench.answered(response(1));
    assert.deepEqual([bench.connection.open, bench.connection.free], [1, 1]);
    assert.equal(bench.client.hasReference, false);
    stream.release();
    stream.release();
    assert.deepEqual([bench.connection.open, bench.connection.free], [0, 2]);
    assert.equal(bench.client.hasReference, true);
  });

  it("to a request that asked for the end end the connection", async () => {
    const bench = await Bench.open();
    await bench.send(new Sent({}, { persistent: false }));
    await bench.answered(response(1));
    assert.equal(bench.deaths, 1);
  });
});

describe("uploads over HTTP/2", () => {
  it("from memory go with their head, in one write", async () => {
    const bench = await Bench.open();
    const sent = new Sent({ method: "POST" }, { body: Buffer.from("hello") });
    const before = bench.client.packetsSent;
    await bench.send(sent);
    assert.match(written(bench).join(), /^HEADERS 1 \d+,DATA 1 5 end$/);
    assert.equal(bench.client.packetsSent, before + 1);
    assert.deepEqual(sent.log, ["sent"]);
    const empty = new Sent({ method: "POST" }, { body: Buffer.alloc(0) });
    await bench.send(empty);
    assert.match(written(bench).join(), /^HEADERS 3 \d+ end$/);
    assert.deepEqual(empty.log, ["sent"]);
  });

  it("from a source keep to the windows, and the source to them", async () => {
    const bench = await Bench.open();
    let pulled = 0;
    const source = {
      length: undefined,
      *open(): Generator<Buffer> {
        for (; pulled < 100; pulled++) yield Buffer.alloc(10_000, "x");
      },
    };
    const sent = new Sent({ method: "PUT" }, { body: source });
    await bench.send(sent);
    for (let turn = 0; turn < 5; turn++) await settle();
    assert.equal(sent.sent, 65_535);
    assert.ok(pulled < 40, `${pulled} parts are taken at once`);
    let total = dataOctets(bench);
    while (total < 1_000_000) {
      await bench.answered(h2.windowUpdate(0, 200_000), h2.windowUpdate(1, 200_000));
      await settle();
      total += dataOctets(bench);
    }
    assert.equal(total, 1_000_000);
    assert.deepEqual(sent.log, ["sent"]);
  });

  function dataOctets(bench: Bench): number {
    return bench.frames().reduce((sum, { type, payload }) => sum + (type === 0 ? payload.length : 0), 0);
  }

  it("whose source fails, or gives too much or too little, are reset", async () => {
    const sources: [string, number | undefined, () => Iterable<string>][] = [
      ["too much", 3, () => ["ab", "cd"]],
      ["too little", 5, () => ["ab"]],
      [
        "failure",
        undefined,
        function* () {
          yield "ab";
          throw new Error("the disk is gone");
        },
      ],
    ];
    for (const [what, length, open] of sources) {
      const bench = await Bench.open();
      const sent = new Sent({ method: "PUT" }, { body: { length, open } });
      await bench.send(sent);
      await settle();
      assert.equal(sent.error?.name, "RequestBodyError", what);
      assert.ok(written(bench).includes("RST_STREAM 1 8"), what);
      assert.equal(bench.deaths, 0);
      assert.equal(bench.connection.open, 0);
    }
  });

  it("stop when the answer has come, and close their source", async () => {
    const bench = await Bench.open();
    let closed = false;
    const source = {
      length: undefined,
      async *open(): AsyncGenerator<string> {
        try {
          yield "first";
          await new Promise(() => undefined);
        } finally {
          closed = true;
        }
      },
    };
    const iterable = {
      length: undefined,
      open: () => ({ [Symbol.asyncIterator]: () => closing(source.open()) }),
    };
    const sent = new Sent({ method: "PUT" }, { body: iterable });
    await bench.send(sent);
    await bench.answered(response(1, "no"));
    assert.equal(sent.log.at(-1), "end no");
    assert.ok(written(bench).includes("RST_STREAM 1 8"));
    assert.equal(closed, true);

    function closing(parts: AsyncGenerator<string>): AsyncIterator<string> {
      return {
        next: () => parts.next(),
        return: () => {
          closed = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      };
    }
  });

  it("wait for 100 (Continue), or a second", async () => {
    for (const how of ["100", "time"]) {
      const bench = await Bench.open();
      const sent = new Sent({ method: "PUT" }, { body: Buffer.from("body"), expectContinue: true });
      await bench.send(sent);
      assert.match(written(bench).join(), /^HEADERS 1 \d+$/);
      if (how === "100") await bench.answered(h2.headers(1, [[":status", "100"]]));
      else await bench.clock.elapse(1000);
      await settle();
      assert.deepEqual(written(bench), ["DATA 1 4 end"]);
      await bench.answered(response(1));
      assert.equal(sent.log.at(-1), "end ok");
    }
  });

  it("do not send a body that the final answer came for", async () => {
    const bench = await Bench.open();
    const sent = new Sent({ method: "PUT" }, { body: Buffer.from("body"), expectContinue: true });
    await bench.send(sent);
    written(bench);
    await bench.answered(h2.headers(1, [[":status", "417"]], true));
    await bench.clock.elapse(2000);
    assert.deepEqual(written(bench), ["RST_STREAM 1 8"]);
    assert.deepEqual(sent.log, ["head 417", "end "]);
  });

  it("wait for a socket that does not drain", async () => {
    const bench = await Bench.open();
    await bench.answered(h2.settings([4, 10_000_000]), h2.windowUpdate(0, 10_000_000));
    bench.client.stall();
    const sent = new Sent({ method: "PUT" }, { body: Buffer.alloc(1_000_000) });
    await bench.send(sent);
    await settle();
    assert.ok(bench.client.writableLength < 150_000);
    bench.client.unstall();
    for (let turn = 0; turn < 40; turn++) await settle();
    assert.deepEqual(sent.log, ["sent"]);
  });
});

describe("what goes wrong on a stream", () => {
  it("is an abort: RST_STREAM, and the place is free at once", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    const stream = await bench.send(sent);
    written(bench);
    await bench.answered(h2.headers(1, [OK]), h2.data(1, "x"));
    stream.cancel(new ProtocolError("enough"));
    stream.cancel();
    assert.equal(bench.connection.open, 0);
    assert.deepEqual(sent.log, ["head 200", "error ProtocolError"]);
    await bench.answered(h2.data(1, "late", true));
    assert.deepEqual(written(bench), ["RST_STREAM 1 8"]);
    assert.equal(bench.deaths, 0);
  });

  it("is an abort before it was written: nothing is sent", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    const stream = bench.connection.start(sent);
    stream.cancel();
    await settle();
    assert.deepEqual(written(bench), []);
    assert.deepEqual(sent.log, []);
    assert.equal(bench.connection.free, 1000);
  });

  it("is an abort in any of its callbacks", async () => {
    for (const when of ["head 200", "body", "informational 103"]) {
      const bench = await Bench.open();
      const sent = new Sent({}, { collect: false });
      const stream = await bench.send(sent);
      sent.onAnything = (event) => {
        if (event === when) stream.cancel();
      };
      await bench.answered(h2.headers(1, [[":status", "103"]]), response(1), h2.ping());
      assert.equal(sent.log.at(-1), when);
      assert.equal(bench.deaths, 0);
      assert.equal(bench.connection.open, 0);
    }
  });

  it("is a reset by the server, with its code", async () => {
    const bench = await Bench.open();
    const [early, late] = [new Sent(), new Sent()];
    await bench.send(early);
    await bench.send(late);
    await bench.answered(h2.resetStream(1, 2), h2.headers(3, [OK]), h2.resetStream(3, 2));
    assert.match(early.error!.message, /reset the stream: INTERNAL_ERROR \(2\)/);
    assert.deepEqual(
      [early.error!.h2Code, early.error!.phase, early.error!.responseStarted],
      [2, "head", false],
    );
    assert.deepEqual([late.error!.phase, late.error!.responseStarted], ["body", true]);
    assert.ok(early.error!.bytesWritten! > 0);
    assert.equal(bench.deaths, 0);
  });

  it("is a broken rule, with its words, or a body that is too short", async () => {
    const bench = await Bench.open();
    const [wrong, short] = [new Sent(), new Sent()];
    await bench.send(wrong);
    await bench.send(short);
    await bench.answered(
      h2.headers(1, [OK, ["Bad", "secret"]], true),
      h2.headers(3, [OK, ["content-length", "5"]]),
      h2.data(3, "abc", true),
    );
    assert.match(
      wrong.error!.message,
      /broke a rule of HTTP\/2: a malformed response: an invalid field name "Bad"/,
    );
    assert.doesNotMatch(wrong.error!.message, /secret/);
    assert.ok(short.error instanceof IncompleteRead);
    assert.deepEqual([short.error.partial, short.error.expected], [3, 2]);
    assert.equal(bench.deaths, 0);
  });

  it("is a refusal: it starts again elsewhere, twice", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    for (let count = 0; count < 2; count++) {
      await bench.send(sent);
      await bench.answered(h2.resetStream(2 * count + 1, 7));
      assert.equal(bench.unsents.length, count + 1);
    }
    assert.deepEqual(sent.log, []);
    assert.equal(bench.deaths, 1, "the second refusal ends the connection");
    const other = await Bench.open();
    await other.send(sent);
    await other.answered(h2.resetStream(1, 7));
    assert.match(sent.error!.message, /REFUSED_STREAM/);
    assert.deepEqual(
      [sent.error!.processed, sent.error!.reused, sent.error!.bytesWritten],
      [false, false, 0],
    );
  });

  it("is a refusal of a body that was begun: the request decides", async () => {
    const bench = await Bench.open();
    const sent = new Sent({ method: "PUT" }, { body: { length: undefined, open: () => ["a"] } });
    await bench.send(sent);
    await bench.answered(h2.resetStream(1, 7));
    assert.deepEqual(bench.unsents, []);
    assert.deepEqual([sent.error!.processed, sent.error!.reused, sent.error!.bytesWritten], [false, true, 0]);
  });
});

describe("GOAWAY", () => {
  it("gives back what was not processed, in its order; the rest goes on, though the wire ends behind it", async () => {
    const bench = await Bench.open();
    const sents = Array.from({ length: 4 }, () => new Sent());
    for (const sent of sents) await bench.send(sent);
    bench.answer(h2.goAway(3, 0, "restarting"), response(1), response(3));
    bench.server.end();
    await settle();
    assert.deepEqual(bench.unsents, [sents[3], sents[2]]);
    assert.deepEqual(
      sents.map(({ log }) => log.at(-1)),
      ["end ok", "end ok", undefined, undefined],
    );
    assert.equal(bench.deaths, 1);
  });

  it("with an error code starts nothing again on a connection that answered nothing", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    await bench.send(sent);
    await bench.answered(h2.goAway(0, 2, "out of order"));
    assert.deepEqual(bench.unsents, []);
    assert.match(sent.error!.message, /INTERNAL_ERROR \(2\), saying "out of order"/);
    assert.deepEqual([sent.error!.processed, sent.error!.h2Code], [false, 2]);
  });

  it("with an error code does start again where something was answered, but not for ENHANCE_YOUR_CALM", async () => {
    for (const [code, again] of [
      [2, true],
      [11, false],
      [12, false],
    ] as const) {
      const bench = await Bench.open();
      await bench.send();
      await bench.answered(response(1));
      await bench.send();
      await bench.answered(h2.goAway(1, code));
      assert.equal(bench.unsents.length, again ? 1 : 0);
    }
  });

  it("on an idle connection ends it", async () => {
    const bench = await Bench.open();
    await bench.answered(h2.goAway(0));
    assert.equal(bench.deaths, 1);
    assert.deepEqual(written(bench), ["GOAWAY 0 0"]);
  });

  it("HTTP_1_1_REQUIRED asks for HTTP/1.1 before anything starts again", async () => {
    const log: string[] = [];
    const bench = await Bench.open({ onHttp1Required: () => log.push("http/1.1") });
    bench.unsent = () => log.push("unsent");
    await bench.send();
    await bench.send();
    await bench.answered(h2.resetStream(1, 13));
    assert.deepEqual(log, ["http/1.1", "unsent"]);
    assert.equal(bench.connection.free, 0);
    await bench.answered(response(3));
    assert.equal(bench.deaths, 1);
  });
});

describe("the death of the wire", () => {
  it("fails what is under way, with what is known", async () => {
    const bench = await Bench.open();
    const [waiting, known, unknown] = [new Sent(), new Sent(), new Sent()];
    for (const sent of [waiting, known, unknown]) await bench.send(sent);
    bench.answer(
      h2.headers(3, [OK, ["content-length", "9"]]),
      h2.data(3, "abc"),
      h2.headers(5, [OK]),
      h2.data(5, "x"),
    );
    bench.server.end();
    await settle();
    assert.match(waiting.error!.message, /Connection aborted: Remote end closed connection without response/);
    assert.ok(known.error instanceof IncompleteRead && known.error.expected === 6);
    assert.ok(unknown.error instanceof IncompleteRead && unknown.error.expected === undefined);
    assert.deepEqual([waiting.error!.reused, waiting.error!.responseStarted], [false, false]);
    assert.equal(bench.deaths, 1);
  });

  it("by a reset has its cause, and says whether the connection had answered before", async () => {
    const bench = await Bench.open();
    await bench.send();
    await bench.answered(response(1));
    const sent = new Sent();
    await bench.send(sent);
    bench.server.resetAndDestroy();
    await settle();
    assert.equal((sent.error!.cause as NodeJS.ErrnoException).code, "ECONNRESET");
    assert.equal(sent.error!.reused, true);
  });

  it("starts again what had not been written", async () => {
    const bench = await Bench.open();
    await bench.send();
    const late = new Sent();
    bench.connection.start(late);
    bench.client.destroy();
    bench.client.emit("close");
    assert.deepEqual(bench.unsents, [late]);
  });

  it("by a broken rule says so to everybody, and to the server", async () => {
    const bench = await Bench.open();
    const [one, two] = [new Sent(), new Sent()];
    await bench.send(one);
    await bench.send(two);
    written(bench);
    await bench.answered(h2.ping("short"));
    assert.match(one.error!.message, /broke a rule of HTTP\/2: PING of a wrong length/);
    assert.equal(two.error!.cause, one.error);
    assert.match(written(bench).join(), /^GOAWAY 0 6 PING of a wrong length$/);
    assert.equal(bench.deaths, 1);
  });

  it("by an answer in HTTP/1.1 shows its first line", async () => {
    const bench = await Bench.open({ settled: false });
    const sent = new Sent();
    await bench.send(sent);
    await bench.answered(Buffer.from("HTTP/1.1 400 Bad\x07 Request\r\nX: y\r\n\r\n"));
    assert.match(
      sent.error!.message,
      /answered in HTTP\/1\.1 although h2 was agreed: HTTP\/1\.1 400 Bad {2}Request\./,
    );
  });

  it("by its own hand is polite: GOAWAY, FIN, and a second of patience", async () => {
    const bench = await Bench.open();
    const sent = new Sent();
    await bench.send(sent);
    written(bench);
    bench.connection.close();
    await settle();
    assert.deepEqual(sent.log, []);
    assert.deepEqual(written(bench), ["GOAWAY 0 0"]);
    assert.equal(bench.server.readableEnded, true);
    assert.equal(bench.client.destroyed, false);
    await bench.clock.elapse(1000);
    assert.equal(bench.client.destroyed, true);
    await bench.clock.elapse(10_000);
    assert.equal(bench.clock.pending, 0);
    assert.equal(bench.deaths, 1);
  });

  it("with an error tells it once, and the others of it", async () => {
    const bench = await Bench.open();
    const [one, two] = [new Sent(), new Sent()];
    await bench.send(one);
    bench.connection.start(two);
    const error = new ProtocolError("closed");
    bench.connection.close(error);
    assert.equal(one.error, error);
    assert.equal(two.error!.cause, error);
  });
});

describe("time", () => {
  it("row 23: the silence of each stream counts, whatever else comes", async () => {
    const bench = await Bench.open();
    const [quiet, talking] = [new Sent({}, { readTimeout: 1000 }), new Sent({}, { readTimeout: 1000 })];
    await bench.send(quiet);
    await bench.send(talking);
    await bench.answered(h2.headers(3, [OK]));
    for (let count = 0; count < 4; count++) {
      await bench.clock.elapse(400);
      await bench.answered(h2.ping(), h2.data(3, "x"));
    }
    assert.ok(quiet.error instanceof ReadTimeoutError);
    assert.equal(quiet.error.phase, "head");
    assert.ok(written(bench).includes("RST_STREAM 1 8"));
    assert.equal(talking.error, null);
    assert.equal(bench.deaths, 0);
    assert.equal(bench.connection.free, 999);
  });

  it("a timeout without a sign of life asks with PING; a frame clears the connection", async () => {
    const bench = await Bench.open();
    const sent = new Sent({}, { readTimeout: 1000 });
    await bench.send(sent);
    written(bench);
    await bench.clock.elapse(1100);
    assert.ok(sent.error instanceof ReadTimeoutError);
    assert.deepEqual(written(bench), ["RST_STREAM 1 8", "PING"]);
    assert.equal(bench.connection.free, 0);
    await bench.answered(h2.settings());
    assert.equal(bench.connection.free, 1000);
    await bench.clock.elapse(5000);
    assert.equal(bench.deaths, 0);
  });

  it("without any answer to PING the connection dies, and its streams hear why", async () => {
    const bench = await Bench.open();
    const [sent, other] = [new Sent({}, { readTimeout: 1000 }), new Sent()];
    await bench.send(sent);
    await bench.send(other);
    await bench.clock.elapse(2200);
    assert.equal(bench.deaths, 1);
    assert.match(other.error!.message, /does not answer any more/);
    assert.equal(other.error!.cause, sent.error);
  });

  it("a paused reader is not the server's silence", async () => {
    const bench = await Bench.open();
    const sent = new Sent({}, { readTimeout: 1000, collect: false });
    sent.takes = false;
    const stream = await bench.send(sent);
    await bench.answered(h2.headers(1, [OK]), h2.data(1, "x"));
    await bench.clock.elapse(5000);
    assert.equal(sent.error, null);
    sent.takes = true;
    stream.resume();
    await bench.clock.elapse(1100);
    assert.ok(sent.error !== null);
  });

  it("row 15: an upload that the server does not take ends; the rest goes on", async () => {
    const bench = await Bench.open();
    await bench.answered(h2.settings([4, 0]));
    const stuck = new Sent({ method: "PUT" }, { body: Buffer.from("body"), readTimeout: 1000 });
    const other = new Sent();
    await bench.send(stuck);
    await bench.send(other);
    await bench.answered(h2.ping());
    await bench.clock.elapse(1100);
    assert.ok(stuck.error instanceof ReadTimeoutError);
    assert.equal(stuck.error.phase, "write");
    assert.match(stuck.error.message, /takes no more of the request body/);
    await bench.answered(response(3));
    assert.deepEqual(other.log, ["head 200", "end ok"]);
  });

  it("a source that is slow is not the server's silence", async () => {
    const bench = await Bench.open();
    const source = {
      length: undefined,
      open: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) }),
    };
    const sent = new Sent({ method: "PUT" }, { body: source, readTimeout: 1000 });
    await bench.send(sent);
    await bench.clock.elapse(5000);
    assert.equal(sent.error, null);
  });

  it("row 16: a server that reads nothing fails the connection", async () => {
    const bench = await Bench.open();
    bench.client.stall();
    const [sent, other] = [new Sent({}, { readTimeout: 1000 }), new Sent()];
    await bench.send(sent);
    await bench.send(other);
    await bench.clock.elapse(1100);
    assert.ok(sent.error instanceof ReadTimeoutError);
    assert.equal(other.error!.cause, sent.error);
    assert.equal(bench.deaths, 1);
  });

  it("settings that are not acknowledged in ten seconds end the connection", async () => {
    const bench = await Bench.open({ settled: false });
    const sent = new Sent();
    await bench.send(sent);
    await bench.answered(h2.settings());
    await bench.clock.elapse(9000);
    assert.equal(bench.deaths, 0);
    await bench.clock.elapse(1100);
    assert.match(sent.error!.message, /did not acknowledge our SETTINGS/);
    assert.equal(sent.error!.h2Code, 4);
  });

  it("PING goes out after `pingInterval` of silence while something is open, not otherwise", async () => {
    const bench = await Bench.open({ pingInterval: 5000 });
    await bench.clock.elapse(20_000);
    assert.deepEqual(written(bench), []);
    await bench.send();
    written(bench);
    await bench.clock.elapse(5100);
    assert.deepEqual(written(bench), ["PING"]);
    await bench.answered(h2.ping("\0\0\0\0\0\0\0\x01", 1));
    await bench.clock.elapse(4000);
    assert.equal(bench.deaths, 0);
    await bench.clock.elapse(3000);
    assert.equal(bench.deaths, 1);
  });
});
