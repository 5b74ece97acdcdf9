/**
 * The measured process: one peer, told over IPC what to do, one command at a time. Its only argument is the spec as JSON:
 * `{ peer, url, hosts?, inTurn?, connections, loops?, bytes, caFile?, dist?, options?, mode?, upload?, proxy? }`.
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hostUrls, zipfOrder } from "./hosts.mjs";
import { Meter } from "./meter.mjs";
import { PEERS, specifier } from "./peers.mjs";

const SETTLE_MS = 300;
/** Answered after a second, so that no request can take over another's connection. */
const SLOW_PATH = "/slow";

const spec = JSON.parse(process.argv[2]);
let peer;
/** By variant: the same peer with other options. */
const peers = new Map();

/** Requests at once: more than connections where some are to wait. */
const loops = spec.loops ?? spec.connections;

/** Calls `goOn(bytes)` after each response, on `connections` loops, until it is false. */
async function drive(connections, goOn, url = spec.url) {
  if (peer.loop !== undefined) return await peer.loop(connections, goOn);
  const nextUrl = spec.mode === "distinct" ? distinctUrl : spec.hosts === undefined ? () => url : manyUrls();
  const loop = async () => {
    while (goOn(await peer.request(nextUrl())));
  };
  await Promise.all(Array.from({ length: connections }, loop));
}

const manyUrls = once(() => {
  const urls = hostUrls(spec.url, spec.hosts);
  let next = 0;
  if (spec.inTurn) return () => urls[next++ % urls.length];
  const order = zipfOrder(spec.hosts, 65_536);
  return () => urls[order[next++ & 65_535]];
});

/** A URL that nobody has asked for before, always as long. */
function distinctUrl() {
  asked += 1;
  return spec.url + String(asked).padStart(9, "0");
}

let asked = 0;

function once(make) {
  let made;
  return () => {
    made ??= make();
    return made;
  };
}

async function create({ variant, options = spec.options } = {}) {
  const module = await import(`../peers/${PEERS[spec.peer].module}.mjs`);
  const ca = spec.caFile === undefined ? undefined : readFileSync(spec.caFile, "utf8");
  peer = await module.create({ ...spec, options, ca });
  peers.set(variant, peer);
  return {};
}

/** Runs for a window of `slice` ms. */
async function slice({ variant, ...limits }) {
  peer = peers.get(variant);
  if (peer.slice !== undefined) return await peer.slice(limits);
  const meter = new Meter({ ...spec, ...limits, connections: loops });
  await drive(loops, meter.goOn);
  return meter.result();
}

/** A new agent, that many requests, and its end: requests per second. */
async function batch({ requests }) {
  await create();
  let left = requests - spec.connections;
  const start = performance.now();
  const cpu = process.cpuUsage();
  await drive(spec.connections, () => left-- > 0);
  const value = (requests / (performance.now() - start)) * 1000;
  const { user, system } = process.cpuUsage(cpu);
  await peer.close();
  return { value, cpuMicros: (user + system) / requests, systemMicros: system / requests };
}

/** Runs that many requests and gives the most memory this process ever held, in MiB. */
async function peakMemory({ requests }) {
  let left = requests - spec.connections;
  await drive(spec.connections, () => left-- > 0);
  // Not `maxRSS`: Linux hands the parent's on to a child, and so it says at least what the harness holds.
  const highWater = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return { value: Number(highWater[1]) / 1024 };
}

/** Opens all connections at once with one request each, and gives what each holds when idle, in bytes. */
async function idleMemory() {
  let warmUps = 500;
  await drive(1, () => warmUps-- > 0);
  const before = await memoryAtRest();
  await drive(spec.connections, () => false, new URL(SLOW_PATH, spec.url).href);
  const after = await memoryAtRest();
  const opened = after.sockets - before.sockets;
  if (opened < spec.connections * 0.9) throw new Error(`only ${opened} connections stayed open`);
  return {
    value: (after.heap - before.heap) / opened,
    rss: (after.rss - before.rss) / opened,
    connections: opened,
  };
}

/** Starts `loops` requests that wait for the one connection, and gives what each holds, in bytes. */
async function queuedMemory() {
  let warmUps = 2000;
  await drive(1, () => warmUps-- > 0);
  const before = await memoryAtRest();
  const slow = new URL(SLOW_PATH, spec.url).href;
  const waiting = Array.from({ length: loops }, () => peer.request(slow));
  for (const each of waiting) each.catch(() => {});
  const after = await memoryAtRest();
  return { value: (after.heap - before.heap) / loops, rss: (after.rss - before.rss) / loops };
}

/** CPU time per request at so many hosts, connections and loops, and what all of them hold at rest. */
async function growth({ slice: ms }) {
  const before = await memoryAtRest();
  const meter = new Meter({
    ...spec,
    connections: Math.max(loops, spec.hosts ?? 0),
    ramp: ms / 2,
    slice: ms,
  });
  await drive(loops, meter.goOn);
  const { cpuMicros } = meter.result();
  const after = await memoryAtRest();
  return { value: cpuMicros, heap: after.heap - before.heap };
}

async function memoryAtRest() {
  await sleep(SETTLE_MS);
  for (let i = 0; i < 3; i++) globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss, sockets: openSockets() };
}

/** Idle sockets too, which `getActiveResourcesInfo` leaves out when they are unref'd. */
function openSockets() {
  const isSocket = (descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:");
    } catch {
      return false; // the descriptor of the listing itself
    }
  };
  return readdirSync("/proc/self/fd").filter(isSocket).length;
}

/** How long `import` of the package takes, in ms. */
async function importTime() {
  const name = specifier(spec.peer, spec.dist);
  const start = performance.now();
  await import(name);
  return { value: performance.now() - start };
}

async function end() {
  for (const each of peers.values()) await each.close();
  // What still idles must not keep the process.
  setImmediate(() => process.exit(0));
  return {};
}

const commands = { create, slice, batch, peakMemory, idleMemory, queuedMemory, growth, importTime, end };

process.on("disconnect", () => process.exit(1));
process.on("message", async ({ command, ...options }) => {
  try {
    process.send({ result: await commands[command](options) });
  } catch (error) {
    process.send({ error: error?.stack ?? String(error) });
  }
});
