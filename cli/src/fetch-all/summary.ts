/** What a run did, in numbers that stay small however long it is: by host, and failures by cause. */

import type { AttemptEnd } from "../attempt-end.ts";
import { bytesText, countText, harmless } from "../terminal.ts";
import type { Result } from "./result.ts";

/** Hosts counted one by one; the others together. */
const HOSTS_KEPT = 10_000;
/** Hosts and causes shown. */
const SHOWN = 20;
const OTHERS = "(other hosts)";
/** Steps of a factor of about 1.19: percentiles are right to a tenth or so. */
const STEPS_PER_DOUBLING = 4;
const STEPS = 100;

/** Durations in ms, as counts by size. */
export class Histogram {
  readonly #counts = new Uint32Array(STEPS);
  #total = 0;

  add(ms: number): void {
    const step = Math.floor(Math.log2(Math.max(1, ms)) * STEPS_PER_DOUBLING);
    this.#counts[Math.min(STEPS - 1, step)]! += 1;
    this.#total += 1;
  }

  /** The duration that this share of all does not exceed; `null` if there are none. */
  percentile(share: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.ceil(this.#total * share);
    const step = this.#counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return 2 ** ((step + 0.5) / STEPS_PER_DOUBLING);
  }
}

interface HostFigures {
  requests: number;
  failures: number;
  bytes: number;
  times: Histogram;
  connections: number;
  reused: number;
}

/** The figures of a run. */
export class Summary {
  readonly #hosts = new Map<string, HostFigures>();
  readonly #causes = new Map<string, { count: number; example: string }>();
  done = 0;
  failed = 0;
  bytes = 0;
  /** Lines that the list has twice, or that have a result. */
  skipped = 0;

  /** A try of the library's. */
  attempt({ url, connection, reused }: AttemptEnd): void {
    const figures = this.#host(new URL(url).host);
    figures.requests += 1;
    if (connection === null) return;
    if (reused) figures.reused += 1;
    else figures.connections += 1;
  }

  /** A URL is done. */
  result(result: Result): void {
    this.done += 1;
    this.bytes += result.bytes;
    const host = URL.canParse(result.url) ? new URL(result.url).host : "(not a URL)";
    const figures = this.#host(host);
    figures.bytes += result.bytes;
    if (result.status !== null) figures.times.add(result.ms);
    if (result.ok) return;
    this.failed += 1;
    figures.failures += 1;
    this.#cause(result);
  }

  /** Tables for people. */
  text(seconds: number): string {
    const rate = this.done / Math.max(0.001, seconds);
    const failures = this.failed === 0 ? "" : `, ${countText(this.failed)} failed`;
    const skipped =
      this.skipped === 0 ? "" : `, ${countText(this.skipped)} skipped (done before, or twice in the list)`;
    const head = `${countText(this.done)} URLs${failures}${skipped}, ${bytesText(this.bytes)} in ${seconds.toFixed(1)} s (${rate.toFixed(1)}/s)`;
    return [head, ...this.#hostTable(), ...this.#causeTable(), ""].join("\n");
  }

  #host(name: string): HostFigures {
    const key = this.#hosts.size >= HOSTS_KEPT && !this.#hosts.has(name) ? OTHERS : name;
    let figures = this.#hosts.get(key);
    if (figures === undefined) {
      figures = { requests: 0, failures: 0, bytes: 0, times: new Histogram(), connections: 0, reused: 0 };
      this.#hosts.set(key, figures);
    }
    return figures;
  }

  #cause({ url, error, status }: Result): void {
    const name = error?.code === "STATUS" ? `HTTP ${status}` : (error?.code ?? "?");
    const known = this.#causes.get(name);
    if (known !== undefined) known.count += 1;
    else this.#causes.set(name, { count: 1, example: `${url}: ${error?.message ?? ""}` });
  }

  #hostTable(): string[] {
    if (this.#hosts.size === 0) return [];
    const all = [...this.#hosts].sort(([, a], [, b]) => b.requests + b.failures - a.requests - a.failures);
    const rows = all.slice(0, SHOWN).map(([name, figures]) => hostRow(harmless(name), figures));
    const more = all.length > SHOWN ? [`  and ${countText(all.length - SHOWN)} more hosts`] : [];
    return [
      "",
      ...table(["host", "requests", "failures", "bytes", "p50", "p95", "connections", "reuse"], rows),
      ...more,
    ];
  }

  #causeTable(): string[] {
    if (this.#causes.size === 0) return [];
    const all = [...this.#causes].sort(([, a], [, b]) => b.count - a.count).slice(0, SHOWN);
    const rows = all.map(([name, { count, example }]) => [
      name,
      countText(count),
      harmless(example).slice(0, 100),
    ]);
    return ["", ...table(["failure", "URLs", "the first of them"], rows)];
  }
}

function hostRow(
  name: string,
  { requests, failures, bytes, times, connections, reused }: HostFigures,
): string[] {
  const time = (share: number): string => {
    const ms = times.percentile(share);
    return ms === null ? "-" : `${Math.round(ms)} ms`;
  };
  const reuse = connections + reused === 0 ? "-" : `${Math.round((reused / (connections + reused)) * 100)} %`;
  const counts = [requests, failures].map(countText);
  return [name, ...counts, bytesText(bytes), time(0.5), time(0.95), countText(connections), reuse];
}

/** Rows under a header; all columns but the first to the right, if they are figures. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const isFigure = header.map((_, column) =>
    rows.every((row) => /^[\d,.]+( [a-zA-Z%]+)?$|^-$/.test(row[column]!)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        isFigure[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd();
  return [line(header), ...rows.map(line)].map((text) => `  ${text}`);
}
