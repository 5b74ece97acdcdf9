/** A bar chart as SVG, for light and dark pages: rates relative to a baseline, a bar for each Node version. */

import { PEERS } from "./peers.mjs";

const WIDTH = 760;
const LABELS = 150;
const VALUES = 64;
const BAR = 13;
const GAP = 9;
const TITLE = 30;
const PANEL_TITLE = 26;
const PANEL_GAP = 22;
const MARGIN = 16;

const STYLE = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }
  .title { font-size: 15px; font-weight: 600; }
  .panel { font-weight: 600; }
  .quiet { fill: #57606a; }
  .value { font-variant-numeric: tabular-nums; font-size: 12px; paint-order: stroke; stroke: #fff; stroke-width: 4; }
  .subject { font-weight: 600; }
  .one { stroke: #8c959f; stroke-dasharray: 3 3; }
  .bar0 { fill: #b6c2cf; } .bar1 { fill: #8795a4; }
  .subject.bar0 { fill: #3b82f6; } .subject.bar1 { fill: #1d4ed8; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .quiet { fill: #9aa4af; }
    .value { stroke: #0d1117; }
    .one { stroke: #6e7681; }
    .bar0 { fill: #57616d; } .bar1 { fill: #7d8996; }
    .subject.bar0 { fill: #3b82f6; } .subject.bar1 { fill: #7fb0ff; }
  }`;

/**
 * @param title the chart's title
 * @param panels `{ title, rows: [{ peer, values: [number | undefined] }] }`, a value for each series
 * @param series the names of the series, at most two
 */
export function barChart({ title, panels, series }) {
  const most = Math.max(
    ...panels.flatMap(({ rows }) => rows.flatMap(({ values }) => values.map((v) => v ?? 0))),
  );
  const scale = (WIDTH - LABELS - VALUES - 2 * MARGIN) / most;
  let y = MARGIN + TITLE;
  const body = panels.map((panel) => {
    const drawn = drawPanel(panel, y, scale, series.length);
    y += drawn.height + PANEL_GAP;
    return drawn.svg;
  });
  const height = y - PANEL_GAP + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    text(MARGIN, MARGIN + 14, title, "title"),
    legend(series),
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

function drawPanel({ title, rows }, top, scale, seriesCount) {
  const rowHeight = seriesCount * BAR + GAP;
  const first = top + PANEL_TITLE;
  const height = PANEL_TITLE + rows.length * rowHeight;
  const one = x(MARGIN + LABELS + scale);
  const drawn = rows.map((row, index) => drawRow(row, first + index * rowHeight, scale));
  const line = `<line class="one" x1="${one}" x2="${one}" y1="${first - 4}" y2="${top + height}"/>`;
  return { height, svg: [text(MARGIN, top + 14, title, "panel"), line, ...drawn].join("\n") };
}

function drawRow({ peer, values }, top, scale) {
  const subject = PEERS[peer].module === "urlpool" ? "subject" : "";
  const name = text(
    MARGIN + LABELS - 10,
    top + (values.length * BAR) / 2 + 4.5,
    PEERS[peer].label,
    subject,
    "end",
  );
  const bars = values.map((value, index) => {
    if (value === undefined) return "";
    const y = top + index * BAR;
    const width = x(value * scale);
    const bar = `<rect class="${subject} bar${index}" x="${MARGIN + LABELS}" y="${y}" width="${width}" height="${BAR - 1}" rx="2"/>`;
    return bar + text(MARGIN + LABELS + width + 6, y + 10.5, value.toFixed(2), "value quiet");
  });
  return [name, ...bars].join("\n");
}

/** Right-aligned at the top, the last series outermost. */
function legend(series) {
  const entries = series.map((name, index) => {
    const right = WIDTH - MARGIN - (series.length - 1 - index) * 110;
    const box = `<rect class="subject bar${index}" x="${right - 90}" y="${MARGIN + 4}" width="12" height="12" rx="2"/>`;
    return box + text(right - 72, MARGIN + 14.5, name, "quiet");
  });
  return entries.join("\n");
}

function text(left, top, content, className, anchor = "start") {
  return `<text class="${className}" x="${x(left)}" y="${x(top)}" text-anchor="${anchor}">${escapeText(content)}</text>`;
}

const x = (value) => Math.round(value * 10) / 10;

function escapeText(content) {
  return content.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
