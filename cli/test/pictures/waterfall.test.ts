/** The waterfall: where the bars stand, and a file that is whole and harmless. */

import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { describe, it } from "node:test";
import type { AttemptEnd } from "../../src/attempt-end.ts";
import { layOut } from "../../src/pictures/lanes.ts";
import { type Bar, barOf, Recorder } from "../../src/pictures/recorder.ts";
import { waterfall } from "../../src/pictures/waterfall.ts";

function attempt(more: Partial<AttemptEnd> = {}, phases: Partial<AttemptEnd["phases"]> = {}): AttemptEnd {
  return {
    request: 1,
    attempt: 1,
    method: "GET",
    url: "http://a.example/x",
    connection: 1,
    route: "127.0.0.1:80",
    protocol: "http/1.1",
    address: "127.0.0.1",
    reused: false,
    requestHead: null,
    requestHeadBytes: 0,
    requestBytes: 0,
    responseHead: null,
    responseHeadBytes: 0,
    status: 200,
    bytes: 10,
    phases: { queued: 1, dns: 2, connect: 3, tls: null, send: 1, wait: 5, receive: 4, ...phases },
    error: null,
    ...more,
  };
}

const AGAIN = { dns: null, connect: null };

describe("lanes", () => {
  it("are connections, grouped by origin, with rows for what overlaps", () => {
    const bars = [
      barOf(attempt(), 16),
      barOf(attempt({ connection: 2, url: "https://b.example/" }), 30),
      barOf(attempt({}, { ...AGAIN, queued: 20 }), 40),
      barOf(attempt({ connection: 3, protocol: "h2", url: "https://h2.example/1" }), 50),
      barOf(attempt({ connection: 3, protocol: "h2", url: "https://h2.example/2" }, AGAIN), 52),
      barOf(attempt({ connection: null, status: null }), 60),
    ];
    const { origins, begin, end, hidden } = layOut(bars);
    const shape = origins.map(({ origin, lanes }) => [
      origin,
      lanes.map(({ connection, rows, bars: own }) => [connection, own.length, rows]),
    ]);
    assert.deepEqual(shape, [
      [
        "http://a.example",
        [
          [1, 2, 1],
          [null, 1, 1],
        ],
      ],
      ["https://b.example", [[2, 1, 1]]],
      ["https://h2.example", [[3, 2, 2]]],
    ]);
    assert.deepEqual([begin, end, hidden], [0, 60, 0]);
  });

  it("of more than the picture takes, the busiest are kept", () => {
    const bars = Array.from({ length: 500 }, (_, n) =>
      barOf(attempt({ connection: n }, { receive: n }), 1000),
    );
    const { origins, hidden } = layOut(bars);
    assert.equal(hidden, 100);
    assert.equal(Math.min(...origins[0]!.lanes.map(({ connection }) => connection!)), 100);
    assert.match(waterfall(bars), /100 more connections, which were less busy, are not shown\./);
  });
});

describe("the drawing", () => {
  const bars: Bar[] = [
    barOf(attempt({ url: 'http://a.example/<script>"&?x=\u0000' }), 20),
    barOf(attempt({ status: 503, reused: true }, AGAIN), 40),
    barOf(
      attempt(
        { connection: null, status: null, bytes: 0, error: new Error("connect <refused>") },
        { send: null, wait: null, receive: null },
      ),
      50,
    ),
  ];
  const svg = waterfall(bars, 7);

  it("is well-formed, without scripts, and asks nobody for anything", () => {
    const open: string[] = [];
    for (const [, slash, name, closed] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
      if (slash === "/") assert.equal(open.pop(), name);
      else if (closed === "") open.push(name!);
    }
    assert.deepEqual(open, []);
    assert.doesNotMatch(svg, /<script|<foreignObject|<image|\shref=|\son\w+=|@import|url\((?!#)|\0/i);
    assert.match(svg, /prefers-color-scheme: dark/);
  });

  it("has a title for each bar with what it was, and marks failures", () => {
    const titles = [...svg.matchAll(/<title>([^<]*)<\/title>/g)].map(([, title]) => title!);
    assert.equal(titles.length, 3);
    assert.match(
      titles[0]!,
      /^GET http:\/\/a\.example\/&lt;script&gt;&quot;&amp;\?x=\ufffd\n200, 10 B\nconnection #1, new; 16 ms: in line 1 ms, DNS 2 ms, connect 3 ms, send 1 ms/,
    );
    assert.match(titles[1]!, /503, 10 B\nconnection #1, used again/);
    assert.match(titles[2]!, /connect &lt;refused&gt;\nno connection/);
    assert.equal(svg.match(/<path class="failed"/g)!.length, 2 + 1);
    assert.match(svg, /7 later requests are not shown/);
  });

  it("shows the end of a failure above the bar that follows at once", () => {
    const close = waterfall([
      barOf(attempt({ status: 503 }), 20),
      barOf(attempt({ reused: true }, AGAIN), 31),
    ]);
    const lane = close.slice(close.indexOf('class="lane"'));
    assert.ok(lane.indexOf('class="failed"') > lane.lastIndexOf('class="receive"'));
  });

  it("of nothing is a picture too", () => {
    assert.match(waterfall([]), /^<svg [\s\S]*<\/svg>\n$/);
  });
});

describe("the recorder", () => {
  it("hears what is told while it listens", () => {
    const recorder = new Recorder();
    channel("urlpool:attempt:end").publish(attempt());
    recorder.stop();
    channel("urlpool:attempt:end").publish(attempt());
    assert.equal(recorder.bars.length, 1);
    const [{ start, phases }] = recorder.bars as [Bar];
    assert.ok(Math.abs(start + 16) < 50);
    assert.deepEqual(
      phases.map(([name]) => name),
      ["queued", "dns", "connect", "send", "wait", "receive"],
    );
  });
});
