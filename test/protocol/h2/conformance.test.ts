/**
 * What a client must make of a server's frames, section by section of RFC 9113, as data. Stream 1 was begun and is open,
 * stream 3 was answered in full, stream 5 was never begun.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as h2 from "../../kit/h2-frames.ts";
import { answer, Conversation } from "./conversation.ts";

/**
 * What follows: an error of the connection with one of these codes, an error of the stream or the connection, or nothing
 * but what is written.
 */
type Outcome = { connection: number[] } | { stream: number[] } | { fine: string[] };

type Case = readonly [section: string, what: string, frames: Uint8Array[], outcome: Outcome];

const OK: h2.FieldPair = [":status", "200"];
const HEAD = h2.headers(1, [OK]);
const BLOCK = h2.literals([OK, ["a", "b"]]);
const protocolError: Outcome = { connection: [1] };
const frameSizeError: Outcome = { connection: [6] };

const CASES: readonly Case[] = [
  ["3.4", "the server's preface is an empty SETTINGS", [], { fine: [] }],
  ["4.1", "a frame of an unknown type is ignored", [h2.frame(0x16, 0, 0, "12345678")], { fine: [] }],
  ["4.1", "flags that mean nothing are ignored", [h2.frame(6, 0x16, 0, "12345678")], { fine: ["PING ack"] }],
  ["4.1", "the reserved bit is ignored", [h2.frame(6, 0, 0x80000000, "12345678")], { fine: ["PING ack"] }],
  ["4.2", "DATA of 2^14 octets is accepted", [HEAD, h2.data(1, "x".repeat(16_384), true)], { fine: [] }],
  ["4.2", "DATA above 2^14 octets", [HEAD, h2.data(1, "x".repeat(16_385))], { stream: [6] }],
  ["4.2", "HEADERS above 2^14 octets", [h2.frame(1, 4, 1, "x".repeat(16_385))], frameSizeError],
  ["4.3", "a block that does not decode", [h2.headers(1, Buffer.of(0x00, 0xff, 0xff))], { connection: [9] }],
  ["4.3", "PRIORITY within a block", [h2.frame(1, 0, 1, BLOCK), h2.frame(2, 0, 1, "12345")], protocolError],
  [
    "4.3",
    "HEADERS of another stream within a block",
    [h2.frame(1, 0, 1, BLOCK), h2.headers(3, [OK])],
    protocolError,
  ],
  ["5.1", "idle: DATA", [h2.data(5, "x")], protocolError],
  ["5.1", "idle: RST_STREAM", [h2.resetStream(5, 8)], protocolError],
  ["5.1", "idle: WINDOW_UPDATE", [h2.windowUpdate(5, 100)], protocolError],
  ["5.1", "idle: CONTINUATION", [h2.frame(9, 4, 5, BLOCK)], protocolError],
  ["5.1", "idle: HEADERS", [h2.headers(5, [OK])], protocolError],
  ["5.1", "idle: PRIORITY is ignored", [h2.frame(2, 0, 5, "12345")], { fine: [] }],
  ["5.1", "closed: DATA", [h2.data(3, "x")], { stream: [5] }],
  ["5.1", "closed: HEADERS", [h2.headers(3, [OK])], { stream: [5] }],
  ["5.1", "closed: CONTINUATION", [h2.frame(9, 4, 3, BLOCK)], { stream: [1, 5] }],
  [
    "5.1",
    "closed: WINDOW_UPDATE, RST_STREAM and PRIORITY are ignored",
    [h2.windowUpdate(3, 1), h2.resetStream(3, 8), h2.frame(2, 0, 3, "12345")],
    { fine: [] },
  ],
  ["5.1", "closed by RST_STREAM: DATA", [HEAD, h2.resetStream(1, 8), h2.data(1, "x")], { stream: [5] }],
  ["5.1", "closed by RST_STREAM: HEADERS", [h2.resetStream(1, 8), HEAD], { stream: [5] }],
  ["5.1.1", "an even stream", [h2.headers(2, [OK])], protocolError],
  [
    "5.4.1",
    "nothing is read behind an error of the connection",
    [h2.ping("short"), h2.ping()],
    frameSizeError,
  ],
  [
    "5.5",
    "unknown settings are ignored and acknowledged",
    [h2.settings([0xff, 1])],
    { fine: ["SETTINGS ack"] },
  ],
  ["5.5", "an unknown frame within a block", [h2.frame(1, 0, 1, BLOCK), h2.frame(0x16, 0, 0)], protocolError],
  ["6.1", "DATA on stream 0", [h2.data(0, "x")], protocolError],
  [
    "6.1",
    "DATA with more padding than payload",
    [HEAD, h2.frame(0, 8, 1, Buffer.of(6, 0, 0, 0, 0))],
    protocolError,
  ],
  [
    "6.1",
    "DATA in two frames, padded, with END_STREAM",
    [HEAD, h2.paddedData(1, "ok", 5), h2.data(1, "", true)],
    { fine: [] },
  ],
  ["6.2", "HEADERS on stream 0", [h2.headers(0, [OK])], protocolError],
  [
    "6.2",
    "HEADERS with more padding than payload",
    [h2.frame(1, 0x0d, 1, Buffer.of(9, 0x88))],
    protocolError,
  ],
  [
    "6.2",
    "HEADERS with padding and priority",
    [h2.frame(1, 0x2d, 1, Buffer.concat([Buffer.of(2), Buffer.alloc(5), Buffer.of(0x88), Buffer.alloc(2)]))],
    { fine: [] },
  ],
  ["6.3", "PRIORITY on stream 0", [h2.frame(2, 0, 0, "12345")], protocolError],
  ["6.3", "PRIORITY of four octets", [h2.frame(2, 0, 1, "1234")], { stream: [6] }],
  ["6.4", "RST_STREAM on stream 0", [h2.resetStream(0, 8)], protocolError],
  ["6.4", "RST_STREAM of three octets", [h2.frame(3, 0, 1, "123")], frameSizeError],
  ["6.5", "SETTINGS acknowledgement with octets", [h2.frame(4, 1, 0, "123456")], frameSizeError],
  ["6.5", "SETTINGS on a stream", [h2.frame(4, 0, 1, "")], protocolError],
  ["6.5", "SETTINGS of three octets", [h2.frame(4, 0, 0, "123")], frameSizeError],
  ["6.5.2", "ENABLE_PUSH 1 from a server", [h2.settings([2, 1])], protocolError],
  ["6.5.2", "INITIAL_WINDOW_SIZE above 2^31-1", [h2.settings([4, 2 ** 31])], { connection: [3] }],
  ["6.5.2", "MAX_FRAME_SIZE below 2^14", [h2.settings([5, 16_383])], protocolError],
  ["6.5.2", "MAX_FRAME_SIZE above 2^24-1", [h2.settings([5, 16_777_216])], protocolError],
  [
    "6.5.3",
    "every SETTINGS is acknowledged",
    [h2.settings([3, 50]), h2.settings([3, 60])],
    { fine: ["SETTINGS ack", "SETTINGS ack"] },
  ],
  [
    "6.6",
    "PUSH_PROMISE although push is off",
    [h2.frame(5, 4, 1, Buffer.concat([h2.uint32(2), BLOCK]))],
    protocolError,
  ],
  ["6.7", "PING is answered", [h2.ping("h2spec-8")], { fine: ["PING ack"] }],
  ["6.7", "an answer that nobody asked for is not answered", [h2.ping("h2spec-8", 1)], { fine: [] }],
  ["6.7", "PING on a stream", [h2.frame(6, 0, 1, "12345678")], protocolError],
  ["6.7", "PING of six octets", [h2.ping("123456")], frameSizeError],
  ["6.8", "GOAWAY on a stream", [h2.frame(7, 0, 1, h2.uint32(1, 0))], protocolError],
  ["6.8", "GOAWAY of seven octets", [h2.frame(7, 0, 0, "1234567")], frameSizeError],
  ["6.8", "a response behind GOAWAY", [h2.goAway(1), HEAD, h2.data(1, "ok", true)], { fine: [] }],
  ["6.9", "WINDOW_UPDATE of 0 for the connection", [h2.windowUpdate(0, 0)], protocolError],
  ["6.9", "WINDOW_UPDATE of 0 for a stream", [h2.windowUpdate(1, 0)], { stream: [1] }],
  ["6.9", "WINDOW_UPDATE of three octets", [h2.frame(8, 0, 0, "123")], frameSizeError],
  [
    "6.9.1",
    "a connection window above 2^31-1",
    [h2.windowUpdate(0, 2 ** 31 - 1), h2.windowUpdate(0, 1)],
    { connection: [3] },
  ],
  [
    "6.9.1",
    "a stream window above 2^31-1",
    [h2.windowUpdate(1, 2 ** 31 - 1), h2.windowUpdate(1, 1)],
    { stream: [3] },
  ],
  [
    "6.9.2",
    "a change that lifts a window above 2^31-1",
    [h2.windowUpdate(1, 2 ** 31 - 65_537), h2.settings([4, 70_000])],
    { connection: [3] },
  ],
  [
    "6.10",
    "several CONTINUATIONs",
    [
      h2.frame(1, 1, 1, BLOCK.subarray(0, 3)),
      h2.frame(9, 0, 1, BLOCK.subarray(3, 5)),
      h2.frame(9, 4, 1, BLOCK.subarray(5)),
    ],
    { fine: [] },
  ],
  ["6.10", "CONTINUATION on stream 0", [h2.frame(1, 0, 1, BLOCK), h2.frame(9, 4, 0)], protocolError],
  ["6.10", "CONTINUATION behind HEADERS with END_HEADERS", [HEAD, h2.frame(9, 4, 1, BLOCK)], protocolError],
  [
    "6.10",
    "CONTINUATION behind a CONTINUATION with END_HEADERS",
    [h2.frame(1, 0, 1, BLOCK), h2.frame(9, 4, 1), h2.frame(9, 4, 1)],
    protocolError,
  ],
  ["6.10", "CONTINUATION behind DATA", [HEAD, h2.data(1, "x"), h2.frame(9, 4, 1, BLOCK)], protocolError],
];

function played(frames: readonly Uint8Array[]): Conversation {
  const talk = new Conversation();
  talk.begin();
  talk.begin();
  talk.receive(answer(3));
  talk.sent();
  talk.told();
  talk.receive(...frames);
  return talk;
}

function assertOutcome(talk: Conversation, outcome: Outcome): void {
  const sent = talk.sent();
  if ("fine" in outcome) {
    assert.equal(talk.failure, null);
    assert.deepEqual(sent, outcome.fine);
    assert.ok(!talk.told().some((event) => event.includes("violation")));
  } else if ("connection" in outcome) {
    assert.ok(outcome.connection.includes(talk.failure?.code ?? -1), `${talk.failure}`);
    assert.match(sent.at(-1) ?? "", new RegExp(`^GOAWAY 0 ${talk.failure!.code} `));
  } else {
    // An error of a stream may be one of the connection (§5.4.1).
    const last = sent.at(-1) ?? "";
    const code = talk.failure?.code ?? Number(/^RST_STREAM \d+ (\d+)$/.exec(last)?.[1]);
    assert.ok(outcome.stream.includes(code), `${last} ${talk.failure}`);
  }
}

describe("a client and a server's frames", () => {
  for (const [section, what, frames, outcome] of CASES) {
    it(`§${section}: ${what}`, () => {
      assertOutcome(played(frames), outcome);
      // In whatever pieces they come.
      const octets = Array.from(Buffer.concat(frames), (octet) => Buffer.of(octet));
      const talk = played([]);
      for (const octet of octets) if (talk.failure === null) talk.receive(octet);
      assertOutcome(talk, outcome);
    });
  }
});
