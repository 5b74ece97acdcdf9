import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidHeader } from "../../../src/core/errors.ts";
import { HTTPHeaderDict } from "../../../src/core/headers.ts";
import { FieldDecoder } from "../../../src/protocol/h2/field-decoder.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { answer, Conversation, describe as words } from "./conversation.ts";
import { decodeBlock, linesOf } from "./decoding.ts";

const MiB = 1_048_576;

describe("the beginning of a session", () => {
  it("is the preface, our settings, and the connection's window, in one piece", () => {
    const { session } = new Conversation({ settled: false });
    const bytes = session.takeOutput()!;
    assert.equal(bytes.toString("latin1", 0, 24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    const { frames } = h2.readFrames(bytes.subarray(24));
    assert.deepEqual(frames.map(words), ["SETTINGS", `WINDOW_UPDATE 0 ${16 * MiB - 65_535}`]);
    const settings = frames[0]!.payload;
    assert.equal(settings.toString("hex"), "000200000000" + "000400100000" + "000600010000" + "000900000001");
  });

  it("lets a hundred streams begin before the server's settings, as many as it says afterwards", () => {
    const talk = new Conversation({ settled: false });
    assert.equal(talk.session.free, 100);
    talk.begin();
    assert.equal(talk.session.free, 99);
    talk.receive(h2.settings([3, 8]));
    assert.equal(talk.session.free, 7);
    assert.deepEqual(talk.told(), ["settings"]);
    talk.receive(h2.settings([3, 0]));
    assert.equal(talk.session.free, 0);
  });

  it("means a thousand streams where the server has no limit, and the user's limit always", () => {
    assert.equal(new Conversation().session.free, 1000);
    assert.equal(new Conversation({ maxStreams: 3 }).session.free, 3);
  });

  it("acknowledges settings before anything that relies on them", () => {
    const talk = new Conversation({ settled: false });
    talk.sent();
    talk.receive(h2.settings([5, 20_000], [4, 10]));
    talk.begin({ headers: new HTTPHeaderDict({ a: "x".repeat(18_000) }) });
    assert.match(talk.sent().join(", "), /^SETTINGS ack, HEADERS 1 18\d\d\d end$/);
  });
});

describe("the server's table", () => {
  it("that shrank and grew within one frame is said to have shrunk: its entries are gone", () => {
    const talk = new Conversation();
    const decoder = new FieldDecoder(65_536);
    const sent = (): string[] =>
      talk
        .sentFrames()
        .filter(({ type }) => type === 1)
        .map(({ payload }) => decoder.decode(payload, 0, payload.length).text);
    talk.begin({ target: "/one" });
    assert.match(sent()[0]!, /user-agent: u/);
    talk.receive(h2.settings([1, 0], [1, 4096]));
    decoder.table.resize(0);
    decoder.table.resize(4096);
    talk.begin({ target: "/two" });
    assert.match(sent()[0]!, /user-agent: u/);
  });
});

describe("a stream that was begun and is not written", () => {
  for (const [what, frame] of [
    ["answered", answer(3)],
    ["reset", h2.resetStream(3, 7)],
    ["let through by GOAWAY", h2.goAway(3)],
  ] as const) {
    it(`cannot be ${what}`, () => {
      const talk = new Conversation();
      talk.begin();
      talk.sent();
      talk.session.blocked = true;
      talk.begin();
      talk.receive(frame);
      assert.equal(talk.failure?.code, 1);
      assert.match(talk.failure?.message ?? "", /never opened/);
    });
  }
});

describe("requests and responses", () => {
  it("a request has odd ids that rise, and its fields", () => {
    const talk = new Conversation();
    talk.begin({ target: "/one" });
    talk.begin({ target: "/two" }, false);
    const frames = talk.sentFrames();
    assert.deepEqual(
      frames.map(({ id }) => id),
      [1, 3],
    );
    assert.deepEqual(
      frames.map(({ flags }) => flags & 1),
      [1, 0],
    );
    const decoder = new FieldDecoder(65_536);
    assert.match(linesOf(decodeBlock(decoder, frames[0]!.payload)), /:path: \/one\r\n/);
    assert.match(linesOf(decodeBlock(decoder, frames[1]!.payload)), /:path: \/two\r\n/);
  });

  it("a response comes whole, with its trailers, in any order of streams", () => {
    const talk = new Conversation();
    talk.begin();
    talk.begin();
    talk.sent();
    talk.receive(
      h2.headers(3, [
        [":status", "200"],
        ["content-length", "5"],
      ]),
      h2.data(3, "hel"),
    );
    talk.receive(
      h2.headers(1, [
        [":status", "103"],
        ["link", "x"],
      ]),
      h2.headers(1, [[":status", "404"]], true),
    );
    talk.receive(h2.data(3, "lo"), h2.headers(3, [["x-check", "1"]], true));
    assert.deepEqual(talk.told(), [
      "3 head 200 5",
      "1 informational 103",
      "1 head 404 0",
      '1 end ""',
      '3 end "hello" x-check: 1',
    ]);
    assert.equal(talk.session.free, 1000);
    assert.deepEqual(talk.sent(), []);
  });

  it("the answer to HEAD, 204 and 304 have no body whatever their length says", () => {
    const talk = new Conversation();
    talk.begin({ method: "HEAD" });
    talk.begin();
    talk.begin();
    talk.receive(
      h2.headers(
        1,
        [
          [":status", "200"],
          ["content-length", "9"],
        ],
        true,
      ),
    );
    talk.receive(
      h2.headers(
        3,
        [
          [":status", "304"],
          ["content-length", "9"],
        ],
        true,
      ),
    );
    talk.receive(h2.headers(5, [[":status", "204"]]), h2.data(5, "", true));
    assert.deepEqual(talk.told(), [
      "1 head 200 0",
      '1 end ""',
      "3 head 304 0",
      '3 end ""',
      "5 head 204 0",
      '5 end ""',
    ]);
  });

  it("a head above the peer's frame size goes on in CONTINUATIONs directly behind", () => {
    const talk = new Conversation();
    talk.begin({ headers: new HTTPHeaderDict({ a: "x".repeat(40_000) }) }, false);
    const frames = talk.sentFrames();
    assert.deepEqual(
      frames.map(({ type, flags }) => [type, flags]),
      [
        [1, 0],
        [9, 0],
        [9, 4],
      ],
    );
    const block = Buffer.concat(frames.map(({ payload }) => payload));
    assert.match(linesOf(decodeBlock(new FieldDecoder(100_000), block)), /a: x{40000}\r\n/);
  });

  it("a head that cannot be sent leaves nothing behind", () => {
    const talk = new Conversation();
    talk.receive(h2.settings([6, 300]));
    talk.sent();
    assert.throws(() => talk.begin({ headers: new HTTPHeaderDict({ a: "x".repeat(300) }) }), InvalidHeader);
    assert.throws(() => talk.begin({ target: "nowhere" }), InvalidHeader);
    assert.deepEqual(talk.sent(), []);
    assert.equal(talk.session.streams.count, 0);
    talk.begin();
    assert.match(talk.sent()[0]!, /^HEADERS 1 /);
  });

  it("long-lived streams do not get in the way of thousands of others", () => {
    const talk = new Conversation();
    const old = talk.begin();
    for (let round = 0; round < 3000; round++) {
      const { id } = talk.begin();
      talk.receive(answer(id));
    }
    assert.equal(talk.told().filter((event) => event.endsWith('end "ok"')).length, 3000);
    assert.equal(talk.session.streams.get(1), old);
    talk.receive(answer(1));
    assert.deepEqual(talk.told(), ["1 head 200 -1", '1 end "ok"']);
  });
});

describe("receive windows", () => {
  const block = "x".repeat(16_384);

  it("of the connection are given back as it comes, whoever reads", () => {
    const talk = new Conversation({ consumes: false });
    for (let stream = 0; stream < 10; stream++) talk.begin();
    talk.sent();
    for (let id = 1; id <= 17; id += 2) talk.receive(h2.headers(id, [[":status", "200"]]));
    const updates: string[] = [];
    for (let id = 1; id <= 17; id += 2) {
      for (let count = 0; count < 64; count++) talk.receive(h2.data(id, block));
      updates.push(...talk.sent());
    }
    assert.deepEqual(updates, [`WINDOW_UPDATE 0 ${8 * MiB}`]);
  });

  it("of a stream are given back as it is read, by halves", () => {
    const talk = new Conversation({ consumes: false });
    const stream = talk.begin();
    talk.sent();
    talk.receive(h2.headers(1, [[":status", "200"]]), ...Array(64).fill(h2.data(1, block)));
    assert.deepEqual(talk.sent(), []);
    talk.session.consume(stream, MiB / 2 - 1);
    assert.deepEqual(talk.sent(), []);
    talk.session.consume(stream, 1);
    assert.deepEqual(talk.sent(), [`WINDOW_UPDATE 1 ${MiB / 2}`]);
  });

  it("get no update for a rest that has room, and none behind the end", () => {
    const talk = new Conversation({ consumes: false });
    const stream = talk.begin();
    talk.sent();
    talk.receive(
      h2.headers(1, [
        [":status", "200"],
        ["content-length", `${64 * 16_384 - 1}`],
      ]),
    );
    talk.receive(...Array(63).fill(h2.data(1, block)));
    talk.session.consume(stream, 63 * 16_384);
    assert.deepEqual(talk.sent(), []);
    talk.receive(h2.data(1, block.slice(1), true));
    talk.session.consume(stream, 16_383);
    assert.deepEqual(talk.sent(), []);
  });

  it("are prepaid for a body of known length", () => {
    const talk = new Conversation();
    const stream = talk.begin();
    talk.onEvent = (event) => {
      if (event.includes("head")) talk.session.prepay(stream);
    };
    talk.sent();
    talk.receive(
      h2.headers(1, [
        [":status", "200"],
        ["content-length", `${4 * MiB}`],
      ]),
    );
    assert.deepEqual(talk.sent(), [`WINDOW_UPDATE 1 ${3 * MiB + 1}`]);
    talk.receive(...Array(255).fill(h2.data(1, block)), h2.data(1, block, true));
    assert.equal(talk.told().at(-1), `1 end "${4 * MiB} octets"`);
    assert.deepEqual(talk.sent(), []);
  });

  it("leave some to a server that has sent all but END_STREAM, which Apache needs for that", () => {
    const talk = new Conversation();
    talk.begin();
    talk.sent();
    talk.receive(
      h2.headers(1, [
        [":status", "200"],
        ["content-length", `${MiB}`],
      ]),
    );
    talk.receive(...Array(64).fill(h2.data(1, block)));
    assert.deepEqual(talk.sent(), [`WINDOW_UPDATE 1 ${MiB / 2}`]);
    assert.ok(talk.session.streams.get(1)!.mayReceive > 0);
  });

  it("are not prepaid above 64 MiB", () => {
    const talk = new Conversation();
    const stream = talk.begin();
    talk.sent();
    talk.receive(
      h2.headers(1, [
        [":status", "200"],
        ["content-length", `${65 * MiB}`],
      ]),
    );
    talk.session.prepay(stream);
    assert.deepEqual(talk.sent(), []);
  });

  it("count padding, which is given back at once", () => {
    const talk = new Conversation({ consumes: false });
    const stream = talk.begin();
    talk.receive(h2.headers(1, [[":status", "200"]]), h2.paddedData(1, "abc", 200));
    assert.equal(stream.unread, 3);
    assert.equal(stream.credit, 201);
    assert.equal(stream.mayReceive, MiB - 204);
  });

  it("grow where the round trip limits them, up to 8 MiB, and not for a reader that lags", () => {
    const talk = new Conversation({ settled: false });
    talk.now = 100;
    talk.receive(h2.settings(), h2.settingsAck());
    const stream = talk.begin();
    talk.receive(h2.headers(1, [[":status", "200"]]));
    for (let round = 0; round < 1000; round++) {
      talk.now += 1; // 16 MiB in 100 ms, the round trip
      talk.receive(...Array(10).fill(h2.data(1, block)));
    }
    assert.equal(stream.windowSize, 8 * MiB);
    const slow = talk.begin();
    talk.receive(h2.headers(3, [[":status", "200"]]));
    for (let round = 0; round < 200; round++) {
      talk.now += 100;
      talk.receive(...Array(10).fill(h2.data(3, block)));
    }
    assert.equal(slow.windowSize, MiB);
  });
});

describe("sending a body", () => {
  const part = (length: number): Buffer => Buffer.alloc(length, "x");

  it("goes out behind its head in one piece", () => {
    const talk = new Conversation();
    const stream = talk.begin({ method: "POST" }, false);
    talk.session.data(stream, part(5), true);
    assert.match(talk.sent().join(), /^HEADERS 1 \d+,DATA 1 5 end$/);
    assert.deepEqual(talk.told(), ["1 sent 5 last"]);
  });

  it("keeps to the windows of the stream and of the connection", () => {
    const talk = new Conversation();
    talk.receive(h2.settings([4, 20_000]));
    const one = talk.begin({}, false);
    const two = talk.begin({}, false);
    talk.sent();
    talk.session.data(one, part(100_000), true);
    talk.session.data(two, part(100_000), true);
    assert.deepEqual(talk.sent(), ["DATA 1 16384", "DATA 3 16384", "DATA 1 3616", "DATA 3 3616"]);
    assert.equal(talk.session.hasOutput, false);
    talk.receive(h2.windowUpdate(1, 10), h2.windowUpdate(3, 100_000));
    assert.deepEqual(talk.sent(), ["DATA 1 10", "DATA 3 16384", "DATA 3 9141"]);
    talk.receive(h2.windowUpdate(0, 5));
    assert.deepEqual(talk.sent(), ["DATA 3 5"]);
  });

  it("follows a change of the initial window, which may make windows negative", () => {
    const talk = new Conversation();
    talk.receive(h2.settings([4, 1000]));
    const stream = talk.begin({}, false);
    talk.sent();
    talk.session.data(stream, part(5000), true);
    assert.deepEqual(talk.sent(), ["DATA 1 1000"]);
    talk.receive(h2.settings([4, 200]));
    assert.equal(talk.session.uploads.windowOf(stream), -800);
    talk.receive(h2.windowUpdate(1, 800));
    assert.deepEqual(talk.sent(), ["SETTINGS ack"]);
    talk.receive(h2.windowUpdate(1, 1));
    assert.deepEqual(talk.sent(), ["DATA 1 1"]);
    talk.receive(h2.settings([4, 10_000]));
    assert.deepEqual(talk.sent(), ["SETTINGS ack", "DATA 1 3999 end"]);
  });

  it("takes turns between streams, and stops at 64 KiB of output", () => {
    const talk = new Conversation();
    talk.receive(h2.settings([4, 10_000_000]), h2.windowUpdate(0, 10_000_000));
    const streams = Array.from({ length: 3 }, () => talk.begin({}, false));
    talk.sent();
    for (const stream of streams) talk.session.data(stream, part(200_000), true);
    const frames = talk.sent();
    assert.deepEqual(frames, ["DATA 1 16384", "DATA 3 16384", "DATA 5 16384", "DATA 1 16384"]);
    assert.deepEqual(talk.sent(), ["DATA 3 16384", "DATA 5 16384", "DATA 1 16384", "DATA 3 16384"]);
  });

  it("joins small parts into one frame, and ends with an empty one where the end comes late", () => {
    const talk = new Conversation();
    const stream = talk.begin({}, false);
    talk.sent();
    for (let count = 0; count < 10; count++) talk.session.data(stream, part(3), false);
    assert.deepEqual(talk.sent(), ["DATA 1 30"]);
    talk.session.data(stream, null, true);
    assert.deepEqual(talk.sent(), ["DATA 1 0 end"]);
  });

  it("ends a stream although the connection's window is used up by another", () => {
    const talk = new Conversation();
    const one = talk.begin({}, false);
    const two = talk.begin({}, false);
    talk.session.data(one, part(65_535), false);
    talk.sent();
    talk.session.data(one, part(10), true);
    talk.session.data(two, null, true);
    assert.deepEqual(talk.sent(), ["DATA 3 0 end"]);
  });

  it("is given up when the answer is complete", () => {
    const talk = new Conversation();
    const stream = talk.begin({}, false);
    talk.session.data(stream, part(100_000), true);
    talk.sent();
    talk.told();
    talk.receive(answer(1));
    assert.deepEqual(talk.told(), ["1 head 200 -1", '1 end "ok"']);
    assert.deepEqual(talk.sent(), ["RST_STREAM 1 8"]);
    // What the server says of it afterwards is late, not wrong.
    talk.receive(h2.resetStream(1, 0), h2.windowUpdate(1, 5), h2.windowUpdate(0, 50_000));
    assert.deepEqual(talk.sent(), []);
    assert.deepEqual(talk.told(), []);
  });
});

describe("the end of streams", () => {
  it("by us frees the slot, and what comes later is not wrong", () => {
    const talk = new Conversation();
    talk.begin();
    const stream = talk.begin();
    talk.receive(h2.headers(1, [[":status", "200"]]));
    talk.sent();
    talk.told();
    talk.session.reset(stream, 8);
    talk.session.reset(stream, 8);
    assert.equal(talk.session.free, 999);
    for (let count = 0; count < 2000; count++)
      talk.receive(h2.headers(3, [[":status", "200"]]), h2.data(3, "late"));
    assert.deepEqual(talk.sent(), ["RST_STREAM 3 8"]);
    assert.deepEqual(talk.told(), []);
    assert.equal(talk.failure, null);
  });

  it("by us counts against the limit until the server has shown that it lives", () => {
    const talk = new Conversation({ maxStreams: 2 });
    const stream = talk.begin();
    talk.session.reset(stream, 8);
    assert.equal(talk.session.free, 1);
    talk.receive(h2.ping());
    assert.equal(talk.session.free, 2);
  });

  it("by the server is told with its code; refusals within the limit are counted", () => {
    const talk = new Conversation({ settled: false });
    talk.begin();
    talk.receive(h2.settings([3, 1]), h2.resetStream(1, 7));
    assert.equal(talk.session.refusals, 0);
    talk.begin();
    talk.receive(h2.resetStream(3, 7));
    assert.equal(talk.session.refusals, 1);
    talk.begin();
    talk.receive(h2.headers(5, [[":status", "200"]]), h2.resetStream(5, 2));
    assert.deepEqual(talk.told(), ["settings", "1 reset 7", "3 reset 7", "5 head 200 -1", "5 reset 2"]);
    assert.deepEqual(
      talk.sent().filter((frame) => frame.startsWith("RST")),
      [],
    );
  });

  it("during an event is heard no more", () => {
    const talk = new Conversation();
    const stream = talk.begin();
    talk.onEvent = () => talk.session.reset(stream, 8);
    talk.receive(h2.headers(1, [[":status", "200"]]), h2.data(1, "abc"), h2.data(1, "def", true));
    assert.deepEqual(talk.told(), ["1 head 200 -1"]);
    const second = talk.begin();
    talk.onEvent = (event) => (event === "data" ? talk.session.reset(second, 8) : undefined);
    talk.receive(h2.headers(3, [[":status", "200"]]), h2.data(3, "abc"), h2.data(3, "def", true));
    assert.equal(talk.bodies.get(3), "abc");
    assert.deepEqual(talk.told(), ["3 head 200 -1"]);
  });
});

describe("GOAWAY", () => {
  it("takes out the streams above its last id, after it was told, and the others go on", () => {
    const talk = new Conversation();
    for (let count = 0; count < 4; count++) talk.begin();
    talk.receive(h2.goAway(3, 0, "going\x1b[31m away"));
    assert.deepEqual(talk.told(), ["goaway 0 going [31m away", "7 unprocessed", "5 unprocessed"]);
    assert.equal(talk.session.free, 0);
    talk.receive(answer(1), answer(3));
    assert.deepEqual(talk.told(), ["1 head 200 -1", '1 end "ok"', "3 head 200 -1", '3 end "ok"']);
  });

  it("may come twice, first without an id", () => {
    const talk = new Conversation();
    talk.begin();
    talk.begin();
    talk.receive(h2.goAway(2 ** 31 - 1));
    assert.deepEqual(talk.told(), ["goaway 0 "]);
    talk.receive(h2.goAway(1));
    assert.deepEqual(talk.told(), ["goaway 0 ", "3 unprocessed"]);
  });

  it("of ours names stream 0, and no stream begins after it", () => {
    const talk = new Conversation();
    talk.begin();
    talk.sent();
    talk.session.goAway(0);
    assert.deepEqual(talk.sent(), ["GOAWAY 0 0"]);
    assert.equal(talk.session.free, 0);
    talk.receive(answer(1));
    assert.equal(talk.told().at(-1), '1 end "ok"');
  });
});

describe("PING", () => {
  it("is answered with its octets", () => {
    const talk = new Conversation();
    talk.receive(h2.ping("abcdefgh"));
    const [pong] = talk.sentFrames();
    assert.deepEqual([pong!.type, pong!.flags, pong!.payload.toString()], [6, 1, "abcdefgh"]);
  });

  it("of ours hears its own answer only", () => {
    const talk = new Conversation();
    talk.session.ping();
    const [ping] = talk.sentFrames();
    talk.receive(h2.ping("abcdefgh", 1));
    assert.deepEqual(talk.told(), []);
    talk.receive(h2.frame(6, 1, 0, ping!.payload));
    assert.deepEqual(talk.told(), ["pong"]);
  });
});
