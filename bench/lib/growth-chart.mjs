/** What grows with hosts, connections and queue, as lines over powers of ten: an SVG for light and dark pages. */

import { PEERS } from "./peers.mjs";

const WIDTH = 760;
const MARGIN = 16;
const TITLE = 34;
const PLOT = { width: 290, height: 120, left: 62, top: 40 };
const PANEL = { width: (WIDTH - 2 * MARGIN) / 2, height: 208 };

const STYLE = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }
  .title { font-size: 15px; font-weight: 600; }
  .panel { font-weight: 600; }
  .quiet { fill: #57606a; }
  .axis { stroke: #8c959f; fill: none; }
  .grid { stroke: #d0d7de; stroke-dasharray: 2 3; }
  .urlpool { stroke: #1d4ed8; fill: #1d4ed8; } .undici { stroke: #8795a4; fill: #8795a4; }
  path.urlpool, path.undici { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #9aa4af; } .grid { stroke: #30363d; }
    .urlpool { stroke: #7fb0ff; fill: #7fb0ff; }
  }`;

const WHAT = { hosts: "hosts", connections: "connections", queue: "queued requests" };
const MEASURES = [
  { title: "CPU time per request, µs", of: (peer) => peer.value.median },
  { title: "heap held at rest, KiB", of: (peer) => Math.max(peer.heap, 0) / 1024 },
];

/** The chart of all growth cases of the first result; undefined if there are none. */
export function growthChart(results) {
  const result = results.find(({ cases }) => cases.some(({ name }) => name.startsWith("growth-")));
  if (result === undefined) return undefined;
  const panels = Object.keys(WHAT).flatMap((what) => {
    const found = result.cases.filter(({ name }) => name.startsWith(`growth-${what}-`));
    const steps = found.map((each) => ({ ...each, n: Number(each.name.split("-").at(-1)) }));
    steps.sort((a, b) => a.n - b.n);
    return steps.length < 2 ? [] : MEASURES.map((measure) => ({ what, measure, steps }));
  });
  const height = TITLE + Math.ceil(panels.length / 2) * PANEL.height + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    "<title>What grows with hosts, connections and queue</title>",
    `<style>${STYLE}\n</style>`,
    text(MARGIN, MARGIN + 12, `What grows by tens (Node ${result.node.split(".")[0]})`, "title"),
    ...["urlpool", "undici"].map((peer, index) => legend(peer, index)),
    ...panels.map(drawPanel),
    "</svg>",
    "",
  ].join("\n");
}

function legend(peer, index) {
  const left = WIDTH - MARGIN - 250 + index * 110;
  const line = `<path class="${peer}" d="M${left} ${MARGIN + 8}h24"/>`;
  return line + text(left + 30, MARGIN + 12, PEERS[peer].label, "quiet");
}

function drawPanel({ what, measure, steps }, index) {
  const left = MARGIN + (index % 2) * PANEL.width + PLOT.left;
  const top = TITLE + Math.floor(index / 2) * PANEL.height + PLOT.top;
  const peers = ["urlpool", "undici"].filter((peer) => steps.every((step) => step.peers[peer]));
  const most = Math.max(...steps.flatMap((step) => peers.map((peer) => measure.of(step.peers[peer])))) || 1;
  const logs = steps.map(({ n }) => Math.log10(n));
  const place = (n) => left + (Math.log10(n) / (Math.max(...logs) || 1)) * PLOT.width;
  const rise = (value) => top + PLOT.height * (1 - value / most);
  const grid = [0.5, 1].map((part) => {
    const y = round(rise(most * part));
    const label = text(left - 6, y + 4, short(most * part), "quiet", "end");
    return `<path class="grid" d="M${left} ${y}h${PLOT.width}"/>${label}`;
  });
  const ticks = steps.map(({ n }) =>
    text(place(n), top + PLOT.height + 16, n.toLocaleString("en-US"), "quiet", "middle"),
  );
  return [
    text(left, top - 14, measure.title, "panel"),
    `<path class="axis" d="M${left} ${top}v${PLOT.height}h${PLOT.width}"/>`,
    ...grid,
    ...ticks,
    text(left + PLOT.width / 2, top + PLOT.height + 32, WHAT[what], "quiet", "middle"),
    ...peers.map((peer) => {
      const points = steps.map((step) => [place(step.n), rise(measure.of(step.peers[peer]))].map(round));
      const dots = points.map(([x, y]) => `<circle class="${peer}" cx="${x}" cy="${y}" r="2.5"/>`);
      return `<path class="${peer}" d="M${points.map((point) => point.join(" ")).join("L")}"/>${dots.join("")}`;
    }),
  ].join("\n");
}

function short(value) {
  return Number(value.toPrecision(2)).toLocaleString("en-US");
}

const round = (value) => Math.round(value * 10) / 10;

function text(left, top, content, className, anchor = "start") {
  return `<text class="${className}" x="${round(left)}" y="${round(top)}" text-anchor="${anchor}">${content}</text>`;
}
