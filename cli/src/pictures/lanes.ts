/** Where the bars of a waterfall stand: a lane for each connection, grouped by origin; rows within it for streams. */

import type { Bar } from "./recorder.ts";

/** A bar in a row of its lane. */
export interface Placed {
  readonly bar: Bar;
  readonly row: number;
}

/** A connection, or the tries of an origin that got none. */
export interface Lane {
  readonly connection: number | null;
  readonly route: string | null;
  readonly protocol: string | null;
  readonly bars: readonly Placed[];
  readonly rows: number;
  /** ms in which something went on. */
  readonly busy: number;
}

/** The lanes of an origin. */
export interface OriginLanes {
  readonly origin: string;
  readonly lanes: readonly Lane[];
}

/** The picture's order. */
export interface Layout {
  readonly origins: readonly OriginLanes[];
  /** ms */
  readonly begin: number;
  readonly end: number;
  /** Lanes that were left out. */
  readonly hidden: number;
}

/** When the bar's connection began to work for it: its wait in the line is before. */
export function workStart({ start, phases }: Bar): number {
  return start + (phases[0]?.[0] === "queued" ? phases[0][1] : 0);
}

/** When it ended. */
export function endOf({ start, phases }: Bar): number {
  return phases.reduce((time, [, ms]) => time + ms, start);
}

/** Orders the bars; of more than `most` lanes the busiest are kept. */
export function layOut(bars: readonly Bar[], most = 400): Layout {
  const origins = groupBy(bars, ({ url }) => originOf(url));
  const all = [...origins].flatMap(([origin, own]) =>
    [...groupBy(own, ({ connection }) => connection)].map(([, each]) => ({ origin, lane: laneOf(each) })),
  );
  const kept = new Set([...all].sort((a, b) => b.lane.busy - a.lane.busy).slice(0, most));
  const shown = groupBy(
    all.filter((each) => kept.has(each)),
    ({ origin }) => origin,
  );
  return {
    origins: [...shown].map(([origin, lanes]) => ({ origin, lanes: lanes.map(({ lane }) => lane) })),
    begin: bars.reduce((time, { start }) => Math.min(time, start), bars[0]?.start ?? 0),
    end: bars.reduce((time, bar) => Math.max(time, endOf(bar)), 0),
    hidden: all.length - kept.size,
  };
}

/** Streams that overlap stand below each other. */
function laneOf(bars: readonly Bar[]): Lane {
  const sorted = [...bars].sort((a, b) => workStart(a) - workStart(b));
  const rowEnds: number[] = [];
  const placed = sorted.map((bar): Placed => {
    const start = workStart(bar);
    // Clocks that are read at different moments may overlap by a hair.
    let row = rowEnds.findIndex((end) => end <= start + 0.05);
    if (row < 0) row = rowEnds.length;
    rowEnds[row] = endOf(bar);
    return { bar, row };
  });
  const [first] = sorted as [Bar];
  return {
    connection: first.connection,
    route: first.route,
    protocol: first.protocol,
    bars: placed,
    rows: rowEnds.length,
    busy: sorted.reduce((sum, bar) => sum + endOf(bar) - workStart(bar), 0),
  };
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
