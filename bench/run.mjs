/**
 * `npm run bench`: urlpool against its peers. See README.md for the cases and what the numbers mean.
 *
 *     npm run bench                               all, on this Node and on Node 24
 *     npm run bench -- --case small-get-50        one case, or all that start so; may be repeated
 *     npm run bench -- --node 24                  current, a version or the path of a binary; may be repeated
 *     npm run bench -- --peers undici,socket      only these beside urlpool
 *     npm run bench -- --rounds 15                in every case
 *     npm run bench -- --quick                    this Node, cases and peers of the targets only, short slices, few rounds: to see that all works
 *     npm run bench -- --base dist-before         adds another build of urlpool, "urlpool (base)"
 *     npm run bench -- --dist elsewhere/dist      measures this build instead of dist/, which is then not built
 *     npm run bench -- --out folder               writes there, into the results of other cases if there are some; without it
 *                                                 only a full run writes, to bench/results/ and both READMEs
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuild, ensureDependencies, npm, ROOT, run as runCommand } from "../scripts/ensure.mjs";
import { barChart } from "./lib/chart.mjs";
import { endAll, pinned } from "./lib/child.mjs";
import { growthChart } from "./lib/growth-chart.mjs";
import { defaultNodes, findNode } from "./lib/nodes.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { PEERS, packageVersions } from "./lib/peers.mjs";
import { limitSummary, markdown, summary, targetSummary } from "./lib/report.mjs";
import { runCase } from "./lib/rounds.mjs";

const BENCH = join(ROOT, "bench");
const RESULTS = join(BENCH, "results");
const SUBJECT = "urlpool";
const BASE = "urlpool-base";
const CHARTED = ["small-get-50", "small-get-https-50"];

function parseFlags() {
  const { values } = parseArgs({
    options: {
      case: { type: "string", multiple: true },
      node: { type: "string", multiple: true },
      peers: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      base: { type: "string" },
      dist: { type: "string" },
      out: { type: "string" },
    },
  });
  const peers = values.peers?.split(",");
  const unknown = (peers ?? []).filter((peer) => PEERS[peer] === undefined);
  if (unknown.length > 0)
    fail(`unknown peer: ${unknown.join(", ")} (known: ${Object.keys(PEERS).join(", ")})`);
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
    fail("--rounds takes a number from 1");
  const full = ["case", "node", "peers", "rounds", "base", "dist"].every(
    (name) => values[name] === undefined,
  );
  const own = full && !values.quick ? RESULTS : undefined;
  const out = values.out === undefined ? own : resolve(values.out);
  return { ...values, peers, rounds, out };
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

async function loadCases(wanted) {
  const files = readdirSync(join(BENCH, "cases")).filter((name) => name.endsWith(".mjs"));
  const modules = await Promise.all(files.map((name) => import(`./cases/${name}`)));
  const all = modules.flatMap((module) => module.cases);
  if (wanted === undefined) return all.sort((a, b) => order(a) - order(b));
  return wanted.flatMap((name) => {
    const exact = all.filter((benchCase) => benchCase.name === name);
    const found = exact.length > 0 ? exact : all.filter((benchCase) => benchCase.name.startsWith(name));
    if (found.length === 0) fail(`no such case: ${name} (known: ${all.map((each) => each.name).join(", ")})`);
    return found;
  });
}

/** Those with targets first: they are read first. */
function order(benchCase) {
  return hasTargets(benchCase) ? 0 : 1;
}

function hasTargets({ targets = [] }) {
  return targets.length > 0;
}

/** Installs what a run needs, and builds the package unless another build is given. */
function prepare(flags) {
  if (process.platform !== "linux") fail("the benchmark needs Linux: nginx, taskset and /proc");
  ensureDependencies();
  const stamp = (path) => statSync(join(BENCH, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const installed = stamp("node_modules/.package-lock.json");
  if (installed === 0 || installed < stamp("package-lock.json")) npm("ci", "--prefix", BENCH);
  runCommand("bash", ["scripts/system-packages.sh", "nginx", "openssl", "tinyproxy", "h2load"]);
  if (flags.dist === undefined) ensureBuild();
}

/** The entry of a build: a folder that holds index.js, or a file. */
function entry(path) {
  if (path === undefined) return undefined;
  const full = resolve(path);
  const file = full.endsWith(".js") ? full : join(full, "index.js");
  if (!existsSync(file)) fail(`no build at ${path}`);
  return file;
}

/** What samplers and rounds need to know of a run on one Node. */
function describeRun(flags, node, origin) {
  const dist = entry(flags.dist ?? join(ROOT, "dist"));
  const dists = {
    [SUBJECT]: dist,
    "urlpool-untimed": dist,
    "urlpool-http1": dist,
    "urlpool-few": dist,
    [BASE]: entry(flags.base),
  };
  const wanted = (peer) => peer === SUBJECT || flags.peers === undefined || flags.peers.includes(peer);
  // What has no target takes time, and tells nothing that a quick look is for.
  const targeted = ({ targets = [], baseline = "undici" }, peer) =>
    !flags.quick ||
    flags.peers !== undefined ||
    [SUBJECT, baseline, ...targets.map((target) => target.peer)].includes(peer);
  const withBase = (peer) => (peer === SUBJECT && flags.base !== undefined ? [SUBJECT, BASE] : [peer]);
  return {
    node: node.path,
    origin,
    dists,
    quick: flags.quick,
    major: Number.parseInt(node.version, 10),
    roundsOf: ({ rounds }) => flags.rounds ?? (flags.quick ? Math.min(2, rounds) : rounds),
    subject: SUBJECT,
    subjectOf: (peer) => (peer === BASE || peer === "urlpool-few" ? SUBJECT : peer),
    select: (benchCase) =>
      benchCase.peers
        .filter(wanted)
        .filter((peer) => targeted(benchCase, peer))
        .flatMap(withBase),
  };
}

async function runOn(node, cases, flags, origin) {
  const run = describeRun(flags, node, origin);
  console.error(`== Node ${node.version}`);
  const results = [];
  for (const benchCase of cases) results.push(await runCase(run, benchCase, progress));
  progress("");
  const measured = Object.keys(PEERS).filter((peer) => results.some((result) => result.peers[peer]));
  return {
    node: node.version,
    machine: `${cpus()[0].model}, ${cpus().length} cores`,
    origin: origin.version,
    pinned,
    packages: packageVersions(measured, node.version),
    cases: results,
  };
}

function progress(message) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
  else if (/round 1 of|\n/.test(message)) console.error(message);
}

/** The chart of what the results hold of the charted cases; undefined if nothing. */
function chartOf(results) {
  const panels = CHARTED.flatMap((name) => {
    const found = results.map((result) => result.cases.find((each) => each.name === name));
    const peers = Object.keys(PEERS).filter((peer) => found.some((each) => each?.peers[peer]?.toBaseline));
    if (peers.length === 0) return [];
    const values = (peer) => found.map((each) => each?.peers[peer]?.toBaseline?.median);
    const rows = peers
      .map((peer) => ({ peer, values: values(peer) }))
      .sort((a, b) => b.values[0] - a.values[0]);
    return [{ title: found.find((each) => each !== undefined).title, rows }];
  });
  if (panels.length === 0) return undefined;
  const series = results.slice(0, 2).map((result) => `Node ${result.node.split(".")[0]}`);
  return barChart({ title: "Requests per second, undici request = 1", panels, series });
}

function write(folder, results) {
  mkdirSync(folder, { recursive: true });
  for (const result of results) {
    const name = join(folder, `node-${result.node.split(".")[0]}`);
    writeFileSync(`${name}.md`, markdown(result));
    writeFileSync(`${name}.json`, `${JSON.stringify(result, rounded, 2)}\n`);
  }
  const chart = chartOf(results);
  if (chart !== undefined) writeFileSync(join(folder, "small-get.svg"), chart);
  const growth = growthChart(results);
  if (growth !== undefined) writeFileSync(join(folder, "growth.svg"), growth);
}

/** The file of results of a Node version. */
function resultFile(folder, { node }) {
  return join(folder, `node-${node.split(".")[0]}.json`);
}

/** A result with the cases that earlier runs have left in the folder, in the order of all cases; those that are no more are left out. */
async function withOthers(folder, result) {
  const file = resultFile(folder, result);
  if (!existsSync(file)) return result;
  const earlier = JSON.parse(readFileSync(file, "utf8"));
  const measured = new Map([...earlier.cases, ...result.cases].map((each) => [each.name, each]));
  const cases = (await loadCases()).flatMap(({ name }) => measured.get(name) ?? []);
  const packages = [...new Set([...result.packages, ...earlier.packages])];
  return { ...result, packages, cases };
}

/** What a folder holds, for all versions. */
function allResults(folder) {
  const files = readdirSync(folder).filter((name) => /^node-\d+\.json$/.test(name));
  return files.sort().map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
}

/** Between the marks in the main README and in that of the benchmark. */
function writeReadmes(results) {
  fill("README.md", `${summary(results)}\n\n![Chart](bench/results/small-get.svg)`);
  fill("bench/README.md", `${targetSummary(results)}\n\n${limitSummary(results)}`);
}

function fill(file, content) {
  const path = join(ROOT, file);
  const filled = `<!-- bench:start -->\n${content}\n<!-- bench:end -->`;
  const text = readFileSync(path, "utf8");
  writeFileSync(
    path,
    text.replace(/<!-- bench:start -->[\s\S]*<!-- bench:end -->/, () => filled),
  );
}

function rounded(_key, value) {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}

async function main() {
  const flags = parseFlags();
  const all = await loadCases(flags.case);
  // What has no target tells nothing that a quick look is for, unless it was asked for.
  const cases = flags.quick && flags.case === undefined ? all.filter(hasTargets) : all;
  prepare(flags);
  process.once("exit", endAll);
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])
    process.once(signal, () => process.exit(code));

  const own = flags.quick ? [findNode("current")] : undefined;
  const nodes = flags.node?.map(findNode) ?? own ?? defaultNodes();
  const origin = await startOrigin();
  if (!pinned) console.error("not pinned to cores: taskset or a second core is missing");
  const results = [];
  for (const node of nodes) {
    results.push(await runOn(node, cases, flags, origin));
    console.log(markdown(results.at(-1)));
  }
  if (flags.out !== undefined) {
    write(flags.out, await Promise.all(results.map((result) => withOthers(flags.out, result))));
  }
  if (flags.out === RESULTS) writeReadmes(allResults(RESULTS));
  console.error(`took ${Math.round(performance.now() / 1000)} s`);
  const failed = results.some((result) => result.cases.some((each) => Object.keys(each.failures).length > 0));
  process.exit(failed ? 1 : 0);
}

await main();
