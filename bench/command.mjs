/**
 * What the command does with long lists, on this machine and Node. It needs the build, and for `queue` redis-server.
 *
 *     node bench/command.mjs memory [URLs...]     the most resident memory of fetch-all from standard input
 *     node bench/command.mjs queue [workers...]   URLs a second of so many workers on one Redis, with no delay
 *     node bench/command.mjs start-up             ms of several commands, on the loopback network
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

const COMMAND =
  process.env.URLPOOL_COMMAND ?? fileURLToPath(new URL("../cli/dist/urlpool.js", import.meta.url));
const HERE = ["--resolve", "*:*:127.0.0.1"];
const HOSTS = 200;
const BODY = Buffer.alloc(1000, "x");

const RUNS = 20;
const METER = `process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  process.getBuiltinModule("node:fs").writeSync(2, "\\n" + (user + system) / 1000);
});`;

const CASES = { memory, queue, "start-up": startUp };

if (isMainThread) {
  const [name, ...given] = process.argv.slice(2);
  if (!Object.hasOwn(CASES, name ?? "")) throw new Error(`the cases: ${Object.keys(CASES).join(", ")}`);
  const origin = new Worker(new URL(import.meta.url));
  const [port] = await once(origin, "message");
  const folder = mkdtempSync(join(tmpdir(), "urlpool-bench-command-"));
  try {
    await CASES[name](given.map(Number), port, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await origin.terminate();
  }
} else {
  const server = http.createServer((_request, response) => response.end(BODY));
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
}

/** A growing list to one run each: what grows with it is what a URL costs. */
async function memory(counts, port, folder) {
  for (const count of counts.length === 0 ? [10_000, 50_000, 100_000] : counts) {
    const results = join(folder, `${count}.jsonl`);
    const child = spawn(process.execPath, [COMMAND, "fetch-all", "-s", ...HERE, "--results", results]);
    child.stderr.pipe(process.stderr);
    const begin = performance.now();
    let peak = 0;
    const watch = setInterval(() => {
      peak = Math.max(peak, peakOf(child.pid));
    }, 50);
    const ended = once(child, "close");
    await send(child.stdin, count, port);
    const [code] = await ended;
    clearInterval(watch);
    const seconds = (performance.now() - begin) / 1000;
    const lines = readFileSync(results, "latin1").split("\n").length - 1;
    console.log(
      `${count} URLs: peak ${(peak / 1024).toFixed(0)} MiB, ${seconds.toFixed(1)} s, ${lines} results, exit ${code}`,
    );
  }
}

async function send(input, count, port) {
  for (let n = 0; n < count; n += 1) if (!input.write(urlOf(n, port))) await once(input, "drain");
  input.end();
}

function urlOf(n, port) {
  return `http://h${n % HOSTS}.example:${port}/pages/${n}?q=some-query-that-is-not-short\n`;
}

/** KiB of the most resident memory so far; 0 for a process that has ended. */
function peakOf(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** From the first result to the last, all workers running. */
async function queue(counts, port, folder) {
  const redisPort = await freePort();
  const options = ["--port", String(redisPort), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const redis = spawn("redis-server", [...options, "--appendonly", "yes"], { stdio: "ignore" });
  try {
    while (!(await listens(redisPort))) await new Promise((resolve) => setTimeout(resolve, 50));
    for (const workers of counts.length === 0 ? [1, 2, 4] : counts)
      await queueRun(workers, ["--queue", `redis://127.0.0.1:${redisPort}/0`, "--run", `w${workers}`], port);
  } finally {
    redis.kill();
  }
}

async function queueRun(workers, run, port) {
  const count = Number(process.env.URLS ?? 6000);
  const input = Array.from({ length: count }, (_, n) => urlOf(n, port)).join("");
  const added = spawnSync(process.execPath, [COMMAND, "queue", "add", ...run], { input, encoding: "utf8" });
  if (added.status !== 0) throw new Error(added.stderr);
  const args = [COMMAND, "fetch-all", ...run, ...HERE, "--delay", "0", "-j", "50", "-s"];
  const children = Array.from({ length: workers }, () =>
    spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] }),
  );
  await Promise.all(children.map((child) => once(child, "close")));
  const printed = spawnSync(process.execPath, [COMMAND, "queue", "results", ...run], {
    encoding: "utf8",
    maxBuffer: 1e9,
  });
  const times = printed.stdout
    .trim()
    .split("\n")
    .map((line) => Date.parse(JSON.parse(line).at));
  const span = (times.reduce((a, b) => Math.max(a, b)) - times.reduce((a, b) => Math.min(a, b))) / 1000;
  console.log(
    `${workers} workers: ${(times.length / span).toFixed(0)} URLs/s (${times.length} in ${span.toFixed(1)} s)`,
  );
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

/** Medians: wall time, and processor time as the process itself counts it. */
async function startUp(_counts, port) {
  const meter = `data:text/javascript,${encodeURIComponent(METER)}`;
  const cases = {
    "node itself": ["--eval", "0"],
    "--version": [COMMAND, "--version"],
    "--help": [COMMAND, "--help"],
    "get URL": [COMMAND, "get", `http://127.0.0.1:${port}/`],
  };
  for (const [name, args] of Object.entries(cases)) {
    const [wall, processor] = [[], []];
    for (let n = 0; n < RUNS + 2; n += 1) {
      const begin = performance.now();
      spawnSync(process.execPath, args);
      const took = performance.now() - begin;
      const { stderr } = spawnSync(process.execPath, ["--import", meter, ...args], { encoding: "utf8" });
      // The first two fill caches.
      if (n < 2) continue;
      wall.push(took);
      processor.push(Number(stderr.split("\n").at(-1)));
    }
    console.log(
      `${process.version} ${name}: ${median(wall).toFixed(0)} ms, processor ${median(processor).toFixed(0)} ms`,
    );
  }
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
