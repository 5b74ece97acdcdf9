/** Results of one Node version as Markdown. Ratios lead; absolute figures hold for one machine and one hour. */

import { PEERS } from "./peers.mjs";
import { ORIGIN_FULL } from "./rounds.mjs";

/** The bare sockets. */
const LIMITS = Object.keys(PEERS).filter((peer) => PEERS[peer].module === "socket");

const label = (peer) => PEERS[peer].label;

/** The whole report. */
export function markdown(result) {
  const parts = [heading(result), targetTable(result), ...result.cases.map(caseSection)];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function heading({ node, machine, origin, pinned, packages }) {
  const cores = pinned ? "clients on one core, origin on another" : "not pinned to cores";
  return [
    `# Node ${node}`,
    "",
    `${machine}; origin ${origin}; ${cores}. Against ${packages.join(", ")}.`,
    "",
    "All ratios are medians over interleaved rounds, with their quartiles in brackets.",
  ].join("\n");
}

function targetTable({ cases }) {
  const rows = cases.flatMap((result) => result.targets.map((target) => targetRow(result, target)));
  if (rows.length === 0) return "";
  return table(["What", "urlpool against", "Target", "Measured", "Verdict"], rows);
}

/** The rows of README.md: a case, and whom urlpool is compared with. */
const SHOWN = [
  ["small-get-50", "undici"],
  ["small-get-50", "axios"],
  ["small-get-https-50", "undici"],
  ["body-1m", "undici"],
  ["upload-100m", "undici"],
];

/** What README.md shows: how many times as fast urlpool is, with a column for each Node. */
export function summary(results) {
  const rows = SHOWN.map(([name, peer]) => {
    const found = results.map(({ cases }) => cases.find((each) => each.name === name));
    const title = found.find((each) => each !== undefined)?.title ?? name;
    const ratios = found.map((each) => each?.peers[peer]?.subject?.median);
    return [title, label(peer), ...ratios.map((ratio) => (ratio === undefined ? "-" : times(ratio)))];
  });
  const { machine, origin } = results[0];
  const text = `How many times as fast urlpool is (${machine}; ${origin}; medians of interleaved rounds):`;
  return `${text}\n\n${table(["What", "against", ...results.map(nodeName)], rows)}`;
}

function nodeName({ node }) {
  return `Node ${node.split(".")[0]}`;
}

/** What bench/README.md shows: the targets, with a column for each Node. */
export function targetSummary(results) {
  const [first] = results;
  const rows = first.cases.flatMap(({ name, title, targets }) =>
    targets.map((target, index) => {
      const [what, against] = targetRow({ title }, { ...target, originFull: false });
      const columns = results.map((result) => {
        const measured = result.cases.find((each) => each.name === name);
        const found = measured?.targets[index];
        if (found?.ratio === undefined) return "-";
        const [, , aim, ratio] = targetRow(measured, found);
        const by = found.originFull ? " by CPU" : "";
        const noisy = measured.noise === undefined ? "" : ", noisy";
        return `${ratio}${by} (${aim}${noisy})`;
      });
      return [what, against, ...columns];
    }),
  );
  const machine = `Ratios on one machine (${first.machine}; ${first.origin}), each the median of interleaved rounds:`;
  return `${machine}\n\n${table(["What", "urlpool against", ...results.map((result) => `${nodeName(result)} (target)`)], rows)}`;
}

/** What bench/README.md shows after them: urlpool beside the bare sockets, each Node with its rates and CPU times. */
export function limitSummary(results) {
  const rows = results[0].cases.flatMap(({ name, title }) => {
    const found = results.map(({ cases }) => cases.find((each) => each.name === name));
    return LIMITS.filter((peer) => found.some((each) => each?.peers[peer]?.cpuMicros !== undefined)).map(
      (peer) => [title, label(peer), ...found.flatMap((each) => limitCells(each?.peers ?? {}, peer))],
    );
  });
  const columns = results.flatMap((result) => [`${nodeName(result)}: rate`, "CPU µs, ours / the socket's"]);
  return `urlpool beside bare sockets that do the same work:\n\n${table(["What", "against", ...columns], rows)}`;
}

function limitCells({ urlpool, ...others }, peer) {
  const limit = others[peer];
  if (urlpool === undefined || limit === undefined) return ["-", "-"];
  const full = limit.originPercent > ORIGIN_FULL ? ", origin full" : "";
  return [
    `${times(limit.subject.median)}${full}`,
    `${figure(urlpool.cpuMicros)} / ${figure(limit.cpuMicros)} = ${times(limit.cpuToSubject.median)}`,
  ];
}

function targetRow({ title, noise }, { peer, of, originFull, atLeast, atMost, goal, ratio, verdict }) {
  const limit = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  const target = goal === undefined ? limit : `${limit} (goal ${goal})`;
  const reason = originFull ? " (the origin's core was full)" : "";
  const what = of === "cpu" ? `${title}: CPU of the peer / urlpool${reason}` : title;
  const sure = noise === undefined ? verdict : `${verdict}, noisy`;
  return [what, label(peer), target, ratio === undefined ? "-" : times(ratio), sure];
}

function caseSection(result) {
  const { title, unit, better, baseline, rounds, measured, peers, failures, noise } = result;
  const names = Object.keys(peers);
  const extras = extraColumns(peers);
  const header = [
    "Client",
    `urlpool / client`,
    `client / ${label(baseline)}`,
    unit,
    ...extras.map(([, name]) => name),
  ];
  const rows = names.map((peer) => {
    const { value, subject, toBaseline } = peers[peer];
    const extra = extras.map(([key, , show]) => show(peers[peer][key]));
    return [label(peer), spread(subject), spread(toBaseline), figure(value.median), ...extra];
  });
  const failed = Object.keys(failures).map((peer) => `Failed: ${label(peer)}.`);
  const note = `${rounds} rounds on ${measured}; ${better} is better.`;
  const warning = noise === undefined ? [] : [`**The machine was too noisy for this case: ${noise}.**`];
  return [`## ${title}`, "", `${[note, ...failed, ...warning].join(" ")}`, "", table(header, rows)].join(
    "\n",
  );
}

const EXTRAS = [
  ["cpuToSubject", "CPU: client / urlpool", spread],
  ["cpuMicros", "CPU µs/request", figure],
  ["systemMicros", "the kernel's part", figure],
  ["originPercent", "origin's core %", figure],
  ["waitPercent", "waited for a core %", figure],
  ["heap", "heap bytes in all", figure],
  ["rss", "resident bytes", figure],
  ["connections", "connections", figure],
  ["tunnels", "CONNECTs", figure],
];

function extraColumns(peers) {
  return EXTRAS.filter(([key]) => Object.values(peers).some((peer) => peer[key] !== undefined));
}

/** The first column to the left, the others to the right. */
function table(header, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = header.map((_, index) => (index === 0 ? "---" : "---:"));
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}

function spread(summary) {
  if (summary === undefined) return "-";
  return `${times(summary.median)} [${summary.q1.toFixed(2)}, ${summary.q3.toFixed(2)}]`;
}

function times(ratio) {
  return `**${ratio.toFixed(2)}**`;
}

/** Three significant digits, in full. */
function figure(value) {
  if (value === undefined) return "-";
  return Number(value.toPrecision(3)).toLocaleString("en-US", { useGrouping: true });
}
