/**
 * What a hostile or broken server can do, by its number in the list of attacks that the client was built against. Rows
 * whose limit is a time (15, 16, 23, 27) are tested with the connection, which has the clock.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as frames from "../../../src/protocol/h2/frames.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { answer, Conversation, type ConversationOptions } from "./conversation.ts";

const OK: h2.FieldPair = [":status", "200"];

/** A conversation with streams 1, 3, 5 and 7 open. */
function opened(options: ConversationOptions = {}): Conversation {
  const talk = new Conversation(options);
  for (let count = 0; count < 4; count++) talk.begin();
  talk.sent();
  return talk;
}

/** The connection ends with `code`, and GOAWAY says so and why. */
function assertEnds(talk: Conversation, code: number, reason: RegExp): void {
  assert.equal(talk.failure?.code, code);
  assert.match(talk.failure?.message ?? "", reason);
  const last = talk.sent().at(-1) ?? "";
  assert.match(last, new RegExp(`^GOAWAY 0 ${code} `));
  assert.match(last, reason);
  assert.equal(talk.session.free, 0);
}

/** Stream 1 ends with `code`, its caller is told, and the connection lives. */
function assertResets(talk: Conversation, code: number, reason: RegExp): void {
  assert.equal(talk.failure, null);
  const told = talk.told().filter((event) => event.startsWith("1 violation"));
  assert.equal(told.length, 1);
  assert.match(told[0]!, new RegExp(`^1 violation ${code}: `));
  assert.match(told[0]!, reason);
  assert.deepEqual(talk.sent(), [`RST_STREAM 1 ${code}`]);
  assertLives(talk);
}

/** Another stream is answered. */
function assertLives(talk: Conversation): void {
  assert.equal(talk.failure, null);
  talk.told();
  talk.receive(answer(7));
  assert.deepEqual(talk.told(), ["7 head 200 -1", '7 end "ok"']);
}

/** How many times `round` may be played until the connection ends; at most `most`. */
function endurance(talk: Conversation, most: number, round: (count: number) => Uint8Array): number {
  for (let count = 0; count < most; count++) {
    talk.receive(round(count));
    talk.sent();
    if (talk.failure !== null) return count;
  }
  return most;
}

describe("row 1: endless CONTINUATION", () => {
  const first = h2.frame(1, 0, 1, Buffer.of(0x88));
  it("of much", () => {
    const talk = opened();
    talk.receive(first, ...Array(10).fill(h2.frame(9, 0, 1, h2.literals([["a", "x".repeat(10_000)]]))));
    assertEnds(talk, frames.ENHANCE_YOUR_CALM, /field block too long/);
  });

  it("of nothing", () => {
    const talk = opened();
    talk.receive(first, ...Array(100).fill(h2.frame(9, 0, 1)));
    assertEnds(talk, frames.ENHANCE_YOUR_CALM, /field block too long/);
  });
});

describe("row 2: a list that is too large", () => {
  it("resets its stream", () => {
    const talk = opened({ maxHeaderSize: 10_000 });
    talk.receive(h2.headers(1, [OK, ["a", "x".repeat(12_000)]]));
    assertResets(talk, frames.ENHANCE_YOUR_CALM, /10000 bytes \(maxHeaderSize\)/);
  });

  it("ends the connection at four times the limit", () => {
    const talk = opened({ maxHeaderSize: 3000 });
    talk.receive(h2.headers(1, [OK, ["a", "x".repeat(15_000)]]));
    assertEnds(talk, frames.ENHANCE_YOUR_CALM, /too large/);
  });

  it("of trailers as well", () => {
    const talk = opened({ maxHeaderSize: 10_000 });
    talk.receive(h2.headers(1, [OK]), h2.headers(1, [["a", "x".repeat(12_000)]], true));
    assertResets(talk, frames.ENHANCE_YOUR_CALM, /maxHeaderSize/);
  });
});

it("row 3: an entry that is referred to thousands of times", () => {
  const talk = opened();
  const bomb = Buffer.concat([
    Buffer.of(0x88, 0x40),
    h2.string("a"),
    h2.string("x".repeat(3999)),
    Buffer.alloc(12_000, 0xbe),
  ]);
  const before = process.memoryUsage().arrayBuffers;
  talk.receive(h2.headers(1, bomb));
  assertEnds(talk, frames.ENHANCE_YOUR_CALM, /too large/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2_000_000);
});

describe("row 4: huge integers and strings", () => {
  it("an integer without end", () => {
    const talk = opened();
    talk.receive(h2.headers(1, Buffer.alloc(10_000, 0xff)));
    assertEnds(talk, frames.COMPRESSION_ERROR, /integer is too long/);
  });

  it("a string of 256 MiB in a block of 10 octets", () => {
    const talk = opened();
    talk.receive(
      h2.headers(1, Buffer.concat([Buffer.of(0x88, 0), h2.integer(0, 7, 268_435_455), Buffer.of(1)])),
    );
    assertEnds(talk, frames.COMPRESSION_ERROR, /longer than its field block/);
  });
});

describe("row 5: games with the table", () => {
  for (const [what, block, reason] of [
    ["a late size update", Buffer.of(0x88, 0x20), /behind a field/],
    ["many size updates", Buffer.of(0x20, 0x20, 0x20, 0x88), /too many/],
    [
      "a size above our limit",
      Buffer.concat([h2.integer(0x20, 5, 4097), Buffer.of(0x88)]),
      /above our limit/,
    ],
  ] as const) {
    it(what, () => {
      const talk = opened();
      talk.receive(h2.headers(1, block));
      assertEnds(talk, frames.COMPRESSION_ERROR, reason);
    });
  }

  it("a huge table of its own that it lets us fill", () => {
    const talk = opened();
    talk.receive(h2.settings([1, 2 ** 31]));
    talk.sent();
    for (let count = 0; count < 600; count++) talk.begin({ authority: `a${count}.${"x".repeat(200)}.test` });
    const bytes = talk.sentFrames().reduce((sum, { payload }) => sum + payload.length, 0);
    assert.ok(bytes > 600 * 200 * 0.6, "what no longer fits is written out");
  });
});

describe("row 6: PING", () => {
  it("floods end the connection, whether we can answer or not", () => {
    const talk = opened();
    const rounds = endurance(talk, 5000, () => h2.ping());
    assert.ok(rounds >= 900 && rounds <= 1100, `${rounds}`);
    assert.equal(talk.failure?.code, frames.ENHANCE_YOUR_CALM);
    assert.match(talk.failure?.message ?? "", /too many PING/);
  });

  it("answers do not pile up behind a socket that does not drain", () => {
    const talk = opened();
    talk.session.blocked = true;
    talk.receive(...Array(980).fill(h2.ping()));
    assertEnds(talk, frames.ENHANCE_YOUR_CALM, /does not read/);
  });

  it("while answers come is no flood", () => {
    const talk = new Conversation();
    const rounds = endurance(talk, 5000, () => {
      const { id } = talk.begin();
      return Buffer.concat([h2.ping(), answer(id)]);
    });
    assert.equal(rounds, 5000);
  });

  it("every 50 ms for an hour is no flood", () => {
    const talk = opened();
    assert.equal(
      endurance(talk, 72_000, () => {
        talk.now += 50;
        return h2.ping();
      }),
      72_000,
    );
  });
});

describe("row 7: SETTINGS", () => {
  it("floods end the connection", () => {
    const talk = opened();
    const rounds = endurance(talk, 5000, () => h2.settings([4, 65_535]));
    assert.ok(rounds >= 900 && rounds <= 1100, `${rounds}`);
    assert.match(talk.failure?.message ?? "", /too many SETTINGS/);
  });

  it("of more than 32 values end it too", () => {
    const talk = opened();
    talk.receive(h2.settings(...Array.from({ length: 33 }, () => [3, 100] as const)));
    assertEnds(talk, frames.ENHANCE_YOUR_CALM, /too many settings/);
  });

  it("of unknown ids are ignored", () => {
    const talk = opened();
    talk.receive(h2.settings([0xf000, 1], [0, 5]));
    assert.deepEqual(talk.sent(), ["SETTINGS ack"]);
    assertLives(talk);
  });
});

describe("row 8: settings that make a sender loop or overflow", () => {
  for (const [what, setting, code] of [
    ["MAX_FRAME_SIZE 0", [5, 0], 1],
    ["MAX_FRAME_SIZE 16,383", [5, 16_383], 1],
    ["MAX_FRAME_SIZE 2^24", [5, 16_777_216], 1],
    ["INITIAL_WINDOW_SIZE 2^31", [4, 2 ** 31], 3],
    ["ENABLE_PUSH 1", [2, 1], 1],
    ["ENABLE_CONNECT_PROTOCOL 2", [8, 2], 1],
  ] as const) {
    it(what, () => {
      const talk = opened();
      talk.receive(h2.settings(setting));
      assertEnds(talk, code, /INITIAL_WINDOW_SIZE|invalid value/);
    });
  }

  it("INITIAL_WINDOW_SIZE that lifts an open window above 2^31-1", () => {
    const talk = opened();
    talk.receive(h2.windowUpdate(1, 1_000_000));
    talk.receive(h2.settings([4, 2 ** 31 - 1]));
    assertEnds(talk, frames.FLOW_CONTROL_ERROR, /window too large/);
  });
});

describe("row 9: RST_STREAM", () => {
  it("for everything is told each time; what is counted is the refusals", () => {
    const talk = opened();
    talk.receive(h2.resetStream(1, 7), h2.resetStream(3, 7), h2.resetStream(5, 2));
    assert.deepEqual(talk.told(), ["1 reset 7", "3 reset 7", "5 reset 2"]);
    assert.equal(talk.session.refusals, 2);
    assertLives(talk);
  });

  it("of streams that are over costs", () => {
    const talk = opened();
    talk.receive(answer(1));
    const rounds = endurance(talk, 5000, () => h2.resetStream(1, 8));
    assert.ok(rounds >= 900 && rounds <= 1100, `${rounds}`);
  });

  it("of an idle stream ends the connection", () => {
    const talk = opened();
    talk.receive(h2.resetStream(9, 8));
    assertEnds(talk, frames.PROTOCOL_ERROR, /never opened/);
  });
});

it("row 10: provoking our resets", () => {
  const talk = new Conversation();
  const rounds = endurance(talk, 5000, () => {
    const { id } = talk.begin();
    return h2.data(id, "x");
  });
  assert.ok(rounds >= 200 && rounds <= 360, `${rounds}`);
  assert.match(talk.failure?.message ?? "", /broken rules/);
  assert.equal(talk.told().filter((event) => event.includes("violation")).length, rounds + 1);
});

describe("row 11: frames of nothing", () => {
  it("empty DATA", () => {
    const talk = opened();
    talk.receive(h2.headers(1, [OK]));
    const rounds = endurance(talk, 5000, () => h2.data(1, ""));
    assert.ok(rounds >= 900 && rounds <= 1100, `${rounds}`);
    assert.match(talk.failure?.message ?? "", /DATA frames without content/);
  });

  it("padding only: it is given back at once, and costs", () => {
    const talk = opened({ consumes: false });
    talk.receive(h2.headers(1, [OK]));
    const rounds = endurance(talk, 5000, () => h2.paddedData(1, "", 255));
    assert.ok(rounds >= 900 && rounds <= 1100, `${rounds}`);
    assert.equal(talk.failure?.code, frames.ENHANCE_YOUR_CALM);
  });

  it("one empty DATA at the end of a body is usual", () => {
    const talk = new Conversation();
    const rounds = endurance(talk, 3000, () => {
      const { id } = talk.begin();
      return Buffer.concat([h2.headers(id, [OK]), h2.data(id, "x"), h2.data(id, "", true)]);
    });
    assert.equal(rounds, 3000);
  });
});

it("row 12: thousands of octets one by one for a reader that is paused", () => {
  const talk = opened({ consumes: false });
  talk.receive(h2.headers(1, [OK]));
  const rounds = endurance(talk, 50, () => Buffer.concat(Array(1000).fill(h2.data(1, "x"))));
  assert.equal(rounds, 50);
  assert.equal(talk.session.streams.get(1)!.unread, 50_000);
  assertLives(talk);
});

describe("row 13: more DATA than the window", () => {
  const block = h2.data(1, "x".repeat(16_384));
  it("of the stream", () => {
    const talk = opened({ consumes: false });
    talk.receive(h2.headers(1, [OK]), ...Array(64).fill(block));
    talk.sent();
    talk.receive(h2.data(1, "x"));
    assertResets(talk, frames.FLOW_CONTROL_ERROR, /the stream's window/);
    assert.equal(talk.bodies.get(1)!.length, 1_048_576);
  });

  it("of the connection", () => {
    const talk = new Conversation({ consumes: false });
    talk.session.connectionWindow.mayReceive = 10;
    talk.session.connectionWindow.credit = 16_777_206;
    talk.begin();
    const bytes = Buffer.concat([h2.headers(1, [OK]), h2.data(1, "x".repeat(11))]);
    talk.receive(bytes);
    assertEnds(talk, frames.FLOW_CONTROL_ERROR, /the connection's window/);
    assert.equal(talk.bodies.has(1), false);
  });
});

describe("row 14: window updates", () => {
  it("of 0 for the connection", () => {
    const talk = opened();
    talk.receive(h2.windowUpdate(0, 0));
    assertEnds(talk, frames.PROTOCOL_ERROR, /WINDOW_UPDATE of 0/);
  });

  it("of 0 for a stream", () => {
    const talk = opened();
    talk.receive(h2.windowUpdate(1, 0));
    assertResets(talk, frames.PROTOCOL_ERROR, /WINDOW_UPDATE of 0/);
  });

  it("beyond 2^31-1 for the connection", () => {
    const talk = opened();
    talk.receive(h2.windowUpdate(0, 2 ** 31 - 1));
    assertEnds(talk, frames.FLOW_CONTROL_ERROR, /above 2\^31-1/);
  });

  it("beyond 2^31-1 for a stream", () => {
    const talk = opened();
    talk.receive(h2.windowUpdate(1, 2 ** 31 - 1));
    assertResets(talk, frames.FLOW_CONTROL_ERROR, /above 2\^31-1/);
  });

  it("for an idle stream", () => {
    const talk = opened();
    talk.receive(h2.windowUpdate(9, 1));
    assertEnds(talk, frames.PROTOCOL_ERROR, /never opened/);
  });

  it("in masses that no DATA of ours asks for", () => {
    const talk = opened();
    assert.ok(endurance(talk, 5000, () => h2.windowUpdate(0, 1)) < 1100);
    assert.match(talk.failure?.message ?? "", /WINDOW_UPDATE frames/);
  });

  it("of a long upload are usual", () => {
    const talk = new Conversation();
    const stream = talk.begin({ method: "POST" }, false);
    const part = Buffer.alloc(1000);
    const rounds = endurance(talk, 5000, () => {
      talk.session.data(stream, part, false);
      talk.sent();
      return Buffer.concat([h2.windowUpdate(1, 1000), h2.windowUpdate(0, 1000)]);
    });
    assert.equal(rounds, 5000);
  });
});

it("row 15: a window that never opens holds up nobody else", () => {
  const talk = new Conversation();
  talk.receive(h2.settings([4, 0]));
  const stuck = talk.begin({}, false);
  const other = talk.begin({}, false);
  talk.session.data(stuck, Buffer.alloc(1000), true);
  talk.session.data(other, Buffer.alloc(1000), true);
  talk.receive(h2.windowUpdate(other.id, 1000));
  assert.ok(talk.sent().includes("DATA 3 1000 end"));
  assert.equal(talk.session.hasOutput, false);
});

it("row 17: PUSH_PROMISE", () => {
  const talk = opened();
  talk.receive(h2.frame(5, 4, 1, Buffer.concat([h2.uint32(2), h2.literals([[":method", "GET"]])])));
  assertEnds(talk, frames.PROTOCOL_ERROR, /PUSH_PROMISE/);
});

describe("row 18: frames on streams that are none", () => {
  const rows: [string, Buffer][] = [
    ["DATA on stream 0", h2.data(0, "x")],
    ["HEADERS on stream 0", h2.headers(0, [OK])],
    ["RST_STREAM on stream 0", h2.resetStream(0, 8)],
    ["DATA on an even stream", h2.data(2, "x")],
    ["HEADERS on an even stream", h2.headers(2, [OK])],
    ["HEADERS on an idle stream", h2.headers(9, [OK])],
    ["DATA on an idle stream", h2.data(9, "x")],
    ["SETTINGS on a stream", h2.frame(4, 0, 1, "")],
    ["PING on a stream", h2.frame(6, 0, 1, "12345678")],
    ["GOAWAY on a stream", h2.frame(7, 0, 1, "12345678")],
  ];
  for (const [what, frame] of rows) {
    it(what, () => {
      const talk = opened();
      talk.receive(frame);
      assertEnds(talk, frames.PROTOCOL_ERROR, /./);
    });
  }

  it("but PRIORITY on an idle stream is allowed", () => {
    const talk = opened();
    talk.receive(h2.frame(2, 0, 99, "12345"));
    assertLives(talk);
  });
});

describe("row 19: the order of a response", () => {
  const rows: [string, Buffer[], number, RegExp][] = [
    ["DATA before HEADERS", [h2.data(1, "x")], 1, /before the response's head/],
    [
      "DATA behind a 1xx",
      [h2.headers(1, [[":status", "103"]]), h2.data(1, "x")],
      1,
      /before the response's head/,
    ],
    ["a second final head", [h2.headers(1, [OK]), h2.headers(1, [OK])], 1, /trailers/],
    [
      "a 1xx behind the final head",
      [h2.headers(1, [OK]), h2.headers(1, [[":status", "103"]])],
      1,
      /trailers/,
    ],
    ["trailers without END_STREAM", [h2.headers(1, [OK]), h2.headers(1, [["a", "b"]])], 1, /do not end/],
    [
      "trailers with a pseudo field",
      [h2.headers(1, [OK]), h2.headers(1, [[":status", "200"]], true)],
      1,
      /pseudo/,
    ],
  ];
  for (const [what, bytes, code, reason] of rows) {
    it(what, () => {
      const talk = opened();
      talk.receive(...bytes);
      assertResets(talk, code, reason);
    });
  }

  it("HEADERS and DATA behind END_STREAM", () => {
    for (const late of [h2.headers(1, [OK]), h2.data(1, "x")]) {
      const talk = opened();
      talk.receive(answer(1), late, late);
      assert.deepEqual(talk.told(), ["1 head 200 -1", '1 end "ok"']);
      assert.deepEqual(talk.sent(), ["RST_STREAM 1 5"]);
      assertLives(talk);
    }
  });

  it("costs", () => {
    const talk = new Conversation();
    const rounds = endurance(talk, 5000, () => {
      const { id } = talk.begin();
      return h2.data(id, "");
    });
    assert.ok(rounds < 275, `${rounds}`);
  });
});

describe("row 20: malformed fields", () => {
  const rows: [string, h2.FieldPair[]][] = [
    ["an upper-case name", [OK, ["A", "b"]]],
    ["a line break in a value", [OK, ["a", "b\r\nc: d"]]],
    ["a connection field", [OK, ["transfer-encoding", "chunked"]]],
    ["no :status", [["a", "b"]]],
    ["a late :status", [["a", "b"], OK]],
    ["a :status twice", [OK, OK]],
    ["an unknown pseudo field", [OK, [":x", "y"]]],
    [":status 20", [[":status", "20"]]],
    [":status 101", [[":status", "101"]]],
    ["two different lengths", [OK, ["content-length", "1"], ["content-length", "2"]]],
    ["a length with a sign", [OK, ["content-length", "-1"]]],
    [
      "a length on a 1xx",
      [
        [":status", "103"],
        ["content-length", "1"],
      ],
    ],
    [
      "a length on a 204",
      [
        [":status", "204"],
        ["content-length", "1"],
      ],
    ],
  ];
  for (const [what, fields] of rows) {
    it(what, () => {
      const talk = opened();
      talk.receive(h2.headers(1, fields));
      assertResets(talk, frames.PROTOCOL_ERROR, /malformed response/);
    });
  }

  it("a length given twice alike is one, and 0 on a 204 is tolerated", () => {
    const talk = opened();
    talk.receive(h2.headers(1, [OK, ["content-length", "2, 2"]]), h2.data(1, "ok", true));
    talk.receive(
      h2.headers(
        3,
        [
          [":status", "204"],
          ["content-length", "0"],
        ],
        true,
      ),
    );
    assert.deepEqual(talk.told(), ["1 head 200 2", '1 end "ok"', "3 head 204 0", '3 end ""']);
  });
});

describe("row 21: bodies and their lengths", () => {
  const five: h2.FieldPair = ["content-length", "5"];
  it("longer: reset at once", () => {
    const talk = opened();
    talk.receive(h2.headers(1, [OK, five]), h2.data(1, "123"), h2.data(1, "456"), h2.data(1, "", true));
    assertResets(talk, frames.PROTOCOL_ERROR, /longer than its 5 bytes/);
    assert.equal(talk.bodies.get(1), "123");
  });

  it("shorter: told as such", () => {
    for (const end of [h2.data(1, "12", true), h2.headers(1, [["a", "b"]], true)]) {
      const talk = opened();
      talk.receive(h2.headers(1, [OK, five]), end);
      assert.match(talk.told().at(-1)!, /^1 truncated \d of 5$/);
      assertLives(talk);
    }
    const talk = opened();
    talk.receive(h2.headers(1, [OK, five], true));
    assert.equal(talk.told().at(-1), "1 truncated 0 of 5");
  });

  it("where there is none", () => {
    for (const status of ["204", "304"]) {
      const talk = opened();
      talk.receive(h2.headers(1, [[":status", status]]), h2.data(1, "x"));
      assertResets(talk, frames.PROTOCOL_ERROR, /longer than its 0 bytes/);
    }
    const talk = new Conversation();
    talk.begin({ method: "HEAD" });
    talk.receive(h2.headers(1, [OK]), h2.data(1, "x"));
    assert.match(talk.told().at(-1)!, /violation 1/);
  });
});

describe("row 22: endless 1xx", () => {
  it("by number", () => {
    const talk = opened();
    talk.receive(...Array(65).fill(h2.headers(1, [[":status", "103"]])));
    assertResets(talk, frames.ENHANCE_YOUR_CALM, /more than 64 1xx/);
  });

  it("by size", () => {
    const talk = opened();
    talk.receive(
      ...Array(10).fill(
        h2.headers(1, [
          [":status", "103"],
          ["link", "x".repeat(10_000)],
        ]),
      ),
    );
    assertResets(talk, frames.ENHANCE_YOUR_CALM, /larger than maxHeaderSize/);
  });
});

describe("row 24: GOAWAY", () => {
  for (const [what, bytes] of [
    ["whose last id rises", [h2.goAway(1), h2.goAway(3)]],
    ["with a last id that we never used", [h2.goAway(9)]],
    ["with an even last id", [h2.goAway(2)]],
  ] as const) {
    it(what, () => {
      const talk = opened();
      talk.receive(...bytes);
      assertEnds(talk, frames.PROTOCOL_ERROR, /GOAWAY/);
    });
  }

  it("repeated without end", () => {
    const talk = opened();
    assert.ok(endurance(talk, 5000, () => h2.goAway(7)) < 1100);
    assert.equal(talk.failure?.code, frames.ENHANCE_YOUR_CALM);
  });

  it("with much debug data, of which little is kept and nothing that a terminal obeys", () => {
    const talk = opened();
    talk.receive(h2.goAway(7, 11, `\x1b]0;title\x07${"x".repeat(16_000)}`));
    const [event] = talk.told();
    assert.ok(event!.length < 300);
    assert.doesNotMatch(event!, /[\x00-\x1f]/);
  });
});

describe("row 25: frames without meaning", () => {
  for (const [what, frame] of [
    ["unknown types", h2.frame(0x77, 0xff, 1, "x")],
    ["ALTSVC", h2.frame(10, 0, 0, "\0\0x")],
    ["ORIGIN", h2.frame(12, 0, 0, "x")],
    ["PRIORITY", h2.frame(2, 0, 1, "12345")],
  ] as const) {
    it(`${what} are ignored, and cost`, () => {
      const talk = opened();
      talk.receive(...Array(500).fill(frame));
      assertLives(talk);
      assert.ok(endurance(talk, 5000, () => frame) < 700);
      assert.equal(talk.failure?.code, frames.ENHANCE_YOUR_CALM);
    });
  }
});

it("row 26: not HTTP/2 at all", () => {
  const talk = new Conversation({ settled: false });
  talk.begin();
  talk.sent();
  talk.receive(Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
  assertEnds(talk, frames.PROTOCOL_ERROR, /answered in HTTP\/1\.1/);
});

it("row 27: an answer behind our GOAWAY is still an answer", () => {
  const talk = opened();
  talk.session.goAway(0);
  talk.receive(answer(1), h2.ping());
  assert.deepEqual(talk.told(), ["1 head 200 -1", '1 end "ok"']);
});

it("an acknowledgement that nobody asked for ends the connection", () => {
  const talk = opened();
  talk.receive(h2.settingsAck());
  assertEnds(talk, frames.PROTOCOL_ERROR, /acknowledgement/);
});

it("a block for a stream that is over still moves the table", () => {
  const talk = opened();
  talk.session.reset(talk.session.streams.get(1)!, 8);
  talk.receive(
    h2.headers(1, Buffer.concat([Buffer.of(0x88, 0x40), h2.string("x-late"), h2.string("1")]), true),
  );
  talk.receive(h2.headers(3, Buffer.of(0x88, 0xbe), true));
  assert.deepEqual(talk.told(), ["3 head 200 0", '3 end ""']);
  assert.equal(talk.session.decoder.table.count, 1);
});
