/** The waterfall as SVG: one file, no script, nothing from elsewhere, in light and dark. */

import { bytesText } from "../terminal.ts";
import { endOf, type Lane, type Layout, layOut, type Placed, workStart } from "./lanes.ts";
import { type Bar, PHASES, type PhaseName } from "./recorder.ts";

const WIDTH = 1200;
const LABELS = 210;
const RIGHT = 20;
const TOP = 92;
const ROW = 18;
const BAR = 12;
const GROUP = 30;
const LEGEND = 116;
/** Of the font, on average. */
const CHARACTER = 6;

const NAMES: Readonly<Record<PhaseName, string>> = {
  queued: "in line",
  dns: "DNS",
  connect: "connect",
  tls: "TLS",
  send: "send",
  wait: "wait",
  receive: "receive",
};

/** Okabe and Ito's colours, which colour-blind readers tell apart; waiting is hatched besides. */
const STYLE = `
  svg { background: #fff; color: #1a1a1a; font: 11px system-ui, sans-serif; }
  text { fill: currentColor; }
  .title { font-size: 16px; font-weight: 600; }
  .origin { font-size: 12px; font-weight: 600; }
  .faint { fill: #595959; }
  .tick { stroke: #dadada; }
  .lane { fill: #f4f4f4; }
  .queued { fill: #8c8c8c; }
  .dns { fill: #56b4e9; }
  .connect { fill: #e69f00; }
  .tls { fill: #cc79a7; }
  .send { fill: #009e73; }
  .wait { fill: url(#hatch); stroke: #707070; stroke-width: .5; }
  .hatch-ground { fill: #fff; }
  .hatch-line { stroke: #707070; stroke-width: 1.5; }
  .receive { fill: #0072b2; }
  .failed { fill: #d55e00; stroke: #1a1a1a; stroke-width: .75; }
  @media (prefers-color-scheme: dark) {
    svg { background: #161616; color: #ececec; }
    .faint { fill: #a8a8a8; }
    .tick { stroke: #3c3c3c; }
    .lane { fill: #212121; }
    .queued { fill: #909090; }
    .hatch-ground { fill: #161616; }
    .hatch-line, .wait { stroke: #b0b0b0; }
    .receive { fill: #3d9bd6; }
    .failed { stroke: #ececec; }
  }
`;

/** Draws the tries; `dropped`: how many more there were. */
export function waterfall(bars: readonly Bar[], dropped = 0): string {
  const layout = layOut(bars);
  return new Drawing(layout, bars.length, dropped).svg();
}

class Drawing {
  readonly #layout: Layout;
  readonly #count: number;
  readonly #dropped: number;
  /** Pixels of a millisecond. */
  readonly #scale: number;
  #y = TOP;

  constructor(layout: Layout, count: number, dropped: number) {
    this.#layout = layout;
    this.#count = count;
    this.#dropped = dropped;
    this.#scale = (WIDTH - LABELS - RIGHT) / Math.max(0.001, layout.end - layout.begin);
  }

  svg(): string {
    const lanes = this.#layout.origins.flatMap(({ origin, lanes: own }) => {
      this.#y += GROUP;
      const head = text(12, this.#y - 9, origin, "origin");
      return [head, ...own.map((lane) => this.#lane(lane))];
    });
    const notes = this.#notes();
    const height = this.#y + 24 + notes.length * 16;
    const title = `Waterfall: ${this.#count} requests in ${timeText(this.#layout.end - this.#layout.begin)}`;
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">`,
      `<title id="title">${escapeXml(title)}</title>`,
      `<style>${STYLE}</style>`,
      `<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="5" height="5"/><line class="hatch-line" x1="1" y1="0" x2="1" y2="5"/></pattern></defs>`,
      text(12, 26, title, "title"),
      ...legend(),
      ...this.#axis(),
      ...lanes,
      ...notes.map((note, index) => text(12, this.#y + 26 + index * 16, note, "faint")),
      "</svg>",
      "",
    ].join("\n");
  }

  #notes(): string[] {
    const { hidden } = this.#layout;
    return [
      ...(hidden === 0 ? [] : [`${hidden} more connections, which were less busy, are not shown.`]),
      ...(this.#dropped === 0 ? [] : [`${this.#dropped} later requests are not shown.`]),
    ];
  }

  #x(time: number): number {
    return LABELS + (time - this.#layout.begin) * this.#scale;
  }

  #axis(): string[] {
    const { begin, end, origins } = this.#layout;
    const rows = origins.reduce(
      (sum, { lanes }) => sum + GROUP + lanes.reduce((all, { rows }) => all + rows * ROW, 0),
      0,
    );
    const step = tickStep(end - begin);
    const lines: string[] = [];
    for (let time = 0; time <= end - begin; time += step) {
      const x = round(this.#x(begin + time));
      lines.push(`<line class="tick" x1="${x}" x2="${x}" y1="${TOP - 4}" y2="${TOP + rows}"/>`);
      lines.push(text(x, TOP - 9, timeText(time), "faint", "middle"));
    }
    return lines;
  }

  #lane(lane: Lane): string {
    const y = this.#y;
    this.#y += lane.rows * ROW;
    const label = lane.connection === null ? "no connection" : `#${lane.connection} ${lane.route ?? ""}`;
    const stream = lane.protocol === "h2" ? " h2" : "";
    return [
      "<g>",
      `<rect class="lane" x="${LABELS}" y="${y + 1}" width="${WIDTH - LABELS - RIGHT}" height="${lane.rows * ROW - 2}"/>`,
      text(12, y + 13, shortened(`${label}${stream}`, (LABELS - 20) / CHARACTER), "faint"),
      ...lane.bars.map((placed, index) => this.#bar(placed, y, nextStart(lane.bars, index))),
      // Above the bars, so that none hides the end of the one before.
      ...lane.bars.map((placed) => this.#mark(placed, y)).filter((mark) => mark !== ""),
      "</g>",
    ].join("\n");
  }

  /** The end of a failure. */
  #mark({ bar, row }: Placed, laneY: number): string {
    if (!isFailure(bar)) return "";
    const y = laneY + row * ROW + (ROW - BAR) / 2;
    return `<path class="failed" d="M${round(this.#x(endOf(bar)))} ${y - 2}l5 8l-5 8z"/>`;
  }

  #bar({ bar, row }: Placed, laneY: number, next: number): string {
    const y = laneY + row * ROW + (ROW - BAR) / 2;
    const end = this.#x(endOf(bar));
    let time = bar.start;
    const parts = bar.phases.map(([name, ms]) => {
      const [x, width] = [this.#x(time), Math.max(0.4, ms * this.#scale)];
      time += ms;
      const [top, height] = name === "queued" ? [y + BAR + 0.5, 1.5] : [y, BAR];
      return `<rect class="${name}" x="${round(x)}" y="${top}" width="${round(width)}" height="${height}"/>`;
    });
    const room = (next === Number.POSITIVE_INFINITY ? WIDTH - RIGHT : this.#x(next)) - end - 12;
    const label = `${bar.status ?? "failed"} ${pathOf(bar.url)}`;
    const caption =
      room < 60 ? [] : [text(round(end + 8), y + 10, shortened(label, room / CHARACTER), "faint")];
    return ["<g>", `<title>${escapeXml(description(bar))}</title>`, ...parts, ...caption, "</g>"].join("");
  }
}

function isFailure({ status, error }: Bar): boolean {
  return error !== null || (status !== null && status >= 400);
}

/** The start of the next bar in the same row. */
function nextStart(bars: readonly Placed[], index: number): number {
  const { row } = bars[index] as Placed;
  for (let at = index + 1; at < bars.length; at += 1) {
    const next = bars[at] as Placed;
    if (next.row === row) return workStart(next.bar);
  }
  return Number.POSITIVE_INFINITY;
}

function description(bar: Bar): string {
  const times = bar.phases.map(([name, ms]) => `${NAMES[name]} ${timeText(ms)}`).join(", ");
  const result = bar.error ?? `${bar.status}, ${bytesText(bar.bytes)}`;
  const connection =
    bar.connection === null
      ? "no connection"
      : `connection #${bar.connection}${bar.reused ? ", used again" : ", new"}`;
  return [
    `${bar.method} ${bar.url}`,
    result,
    `${connection}; ${timeText(endOf(bar) - bar.start)}: ${times}`,
  ].join("\n");
}

function legend(): string[] {
  const entries = PHASES.map((name, index) => {
    const x = 12 + index * LEGEND;
    const [y, height] = name === "queued" ? [52, 2] : [42, BAR];
    return `<rect class="${name}" x="${x}" y="${y}" width="22" height="${height}"/>${text(x + 28, 52, NAMES[name], "")}`;
  });
  const x = 12 + PHASES.length * LEGEND;
  return [
    ...entries,
    `<path class="failed" d="M${x} 40l5 8l-5 8z"/>${text(x + 12, 52, "failed, or a status from 400", "")}`,
  ];
}

/** 1, 2 or 5 times a power of ten: about eight ticks. */
function tickStep(span: number): number {
  const rough = Math.max(0.001, span / 8);
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
}

function timeText(ms: number): string {
  if (ms >= 1000) return `${Number((ms / 1000).toFixed(2))} s`;
  return `${Number(ms.toFixed(ms < 10 ? 2 : 1))} ms`;
}

function pathOf(url: string): string {
  if (!URL.canParse(url)) return url;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function shortened(value: string, characters: number): string {
  const room = Math.floor(characters);
  return value.length <= room ? value : `${value.slice(0, Math.max(0, room - 1))}…`;
}

function text(x: number, y: number, value: string, className: string, anchor?: string): string {
  const extra = `${className === "" ? "" : ` class="${className}"`}${anchor === undefined ? "" : ` text-anchor="${anchor}"`}`;
  return `<text x="${x}" y="${y}"${extra}>${escapeXml(value)}</text>`;
}

function round(pixels: number): number {
  return Math.round(pixels * 100) / 100;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** What XML cannot hold at all becomes a replacement character. */
function escapeXml(value: string): string {
  return value
    .replace(/[&<>"]/g, (found) => ENTITIES[found] as string)
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}
