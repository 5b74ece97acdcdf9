/** The lines of the hosts, on a time that the tests hand in. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Frontier, type FrontierOptions } from "../../src/fetch-all/frontier.ts";

interface Item {
  host: string;
  n: number;
}

function frontierOf(options: Partial<FrontierOptions>, hosts: Record<string, number>): Frontier<Item> {
  const frontier = new Frontier<Item>({
    jobs: 100,
    perHost: 6,
    delay: 0,
    rate: Number.POSITIVE_INFINITY,
    ...options,
  });
  for (const [host, count] of Object.entries(hosts))
    for (let n = 0; n < count; n += 1) frontier.push({ host, n }, 0);
  return frontier;
}

function takeAll(frontier: Frontier<Item>, now: number): Item[] {
  const taken: Item[] = [];
  for (let item = frontier.take(now); item !== null; item = frontier.take(now)) taken.push(item);
  return taken;
}

describe("the frontier", () => {
  it("takes hosts in turn, in the order of their lines, within both limits", () => {
    const frontier = frontierOf({ jobs: 5, perHost: 2 }, { a: 9, b: 9, c: 1 });
    const taken = takeAll(frontier, 0).map(({ host, n }) => `${host}${n}`);
    assert.deepEqual(taken, ["a0", "b0", "c0", "a1", "b1"]);
    assert.deepEqual([frontier.active, frontier.waiting, frontier.nextTime(0)], [5, 14, null]);
    frontier.finished({ host: "a", n: 0 }, "well", 0, 10);
    assert.deepEqual(
      takeAll(frontier, 10).map(({ host }) => host),
      ["a"],
    );
  });

  it("leaves the delay between the end of a request and the next, one at a time", () => {
    const frontier = frontierOf({ delay: 100 }, { a: 3, b: 1 });
    assert.deepEqual(
      takeAll(frontier, 0).map(({ host }) => host),
      ["a", "b"],
    );
    frontier.finished({ host: "a", n: 0 }, "well", 0, 40);
    assert.deepEqual([takeAll(frontier, 139).length, frontier.nextTime(139)], [0, 140]);
    assert.equal(takeAll(frontier, 140).length, 1);
  });

  it("keeps the pace over all, without a burst after a pause", () => {
    const frontier = frontierOf({ rate: 10 }, { a: 50, b: 50 });
    const starts: number[] = [];
    for (let now = 0; now < 3000; now += 1) {
      if (now > 1000 && now < 2000) continue;
      for (const item of takeAll(frontier, now)) {
        starts.push(now);
        frontier.finished(item, "well", now, now);
      }
    }
    assert.ok(starts.length >= 19 && starts.length <= 22, String(starts.length));
    assert.ok(starts.filter((time) => time >= 2000 && time < 2100).length <= 3);
  });

  it("halves a host that has too much to do, once for what ran at that time, and trusts it again by and by", () => {
    const frontier = frontierOf({ perHost: 8 }, { a: 500 });
    const first = takeAll(frontier, 0);
    assert.equal(first.length, 8);
    for (const item of first) frontier.finished(item, "too-much", 0, 10);
    let running = takeAll(frontier, 20);
    assert.equal(running.length, 4);
    let now = 20;
    let finished = 0;
    while (running.length < 6) {
      const item = running.shift()!;
      frontier.finished(item, "well", now, now + 1);
      now += 1;
      finished += 1;
      running.push(...takeAll(frontier, now));
    }
    assert.equal(finished, 40);
    for (const limit of [3, 1, 1]) {
      for (const item of running) frontier.finished(item, "too-much", now, now + 1);
      now += 2;
      running = takeAll(frontier, now);
      assert.equal(running.length, limit);
    }
  });

  it("lets a host rest for all of its URLs, and the others go on", () => {
    const frontier = frontierOf({}, { a: 3, b: 3 });
    frontier.rest("a", 5000, 0);
    assert.deepEqual(
      takeAll(frontier, 0).map(({ host }) => host),
      ["b", "b", "b"],
    );
    assert.deepEqual(
      [frontier.resting(0), frontier.nextTime(0), takeAll(frontier, 4999).length],
      [1, 5000, 0],
    );
    assert.equal(takeAll(frontier, 5000).length, 3);
  });

  it("takes a URL that has to wait when its time has come, before the others of its host", () => {
    const frontier = frontierOf({ perHost: 1 }, { a: 2 });
    frontier.push({ host: "a", n: 99 }, 0, 50);
    const order: number[] = [];
    for (const now of [0, 60, 70]) {
      const item = frontier.take(now)!;
      order.push(item.n);
      frontier.finished(item, "well", now, now);
    }
    assert.deepEqual(order, [0, 99, 1]);
  });

  it("forgets hosts that are done with", () => {
    const frontier = frontierOf(
      { delay: 10, jobs: 1e6 },
      Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`h${n}`, 1])),
    );
    for (const item of takeAll(frontier, 0)) frontier.finished(item, "well", 0, 5);
    takeAll(frontier, 20);
    assert.deepEqual([frontier.hosts, frontier.waiting, frontier.active], [0, 0, 0]);
  });
});
