/**
 * Fails a test that leaves something open: client sockets and timers, also those that are unref'd and so would never
 * keep the process alive, and everything that would (servers, sockets, children, look-ups).
 */

import net from "node:net";
import { afterEach, beforeEach, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const ATTEMPTS = 10;
const ATTEMPT_DELAY = 25;

/** Names of `process.getActiveResourcesInfo()` that say nothing about the code under test. */
const IGNORED = new Set(["TTYWrap", "PipeWrap", "Immediate", "TickObject", "FSReqCallback", "FSReqPromise"]);

/** The package `socks` lets its (unref'd) timer run out. */
const IGNORED_TIMERS = /node_modules\/socks\//;

/** What is open now; {@link leaksSince} tells what came after. */
export interface Baseline {
  readonly sockets: ReadonlySet<net.Socket>;
  readonly timers: ReadonlySet<NodeJS.Timeout>;
  readonly resources: ReadonlyMap<string, number>;
}

const openSockets = new Set<net.Socket>();
const pendingTimers = new Map<NodeJS.Timeout, string>();
let watching = false;

/** Checks every test of the calling file, each against what was open when it began. Not for concurrent tests. */
export function leakGate(): void {
  const baselines: Baseline[] = [];
  beforeEach(() => {
    baselines.push(takeBaseline());
  });
  afterEach(async () => {
    await assertNoLeaks(baselines.pop() as Baseline);
  });
}

/** Checks one test: call it first in the test. */
export function withLeakGate(t: TestContext): void {
  const baseline = takeBaseline();
  t.after(() => assertNoLeaks(baseline));
}

/** What is open now. */
export function takeBaseline(): Baseline {
  watch();
  return {
    sockets: new Set(liveSockets()),
    timers: new Set(pendingTimers.keys()),
    resources: countResources(),
  };
}

/** One line for each thing that is open and was not in the baseline. */
export function leaksSince(baseline: Baseline): string[] {
  const sockets = liveSockets().filter((socket) => !baseline.sockets.has(socket));
  const timers = [...pendingTimers].filter(([timer]) => !baseline.timers.has(timer));
  const resources = [...countResources()]
    .map(([name, count]) => [name, count - (baseline.resources.get(name) ?? 0)] as const)
    .filter(([, more]) => more > 0);
  return [
    ...sockets.map((socket) => `client socket ${describeSocket(socket)}`),
    ...timers.map(([, origin]) => `timer set at ${origin}`),
    ...resources.map(([name, more]) => `${more} more ${name}`),
  ];
}

/** Waits up to 10 x 25 ms for everything since the baseline to close, then throws an error that lists what is left. */
export async function assertNoLeaks(baseline: Baseline): Promise<void> {
  // Most closes need only a few turns of the event loop.
  for (let turn = 0; turn < 5 && leaksSince(baseline).length > 0; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let attempt = 0; attempt < ATTEMPTS && leaksSince(baseline).length > 0; attempt += 1) {
    await sleep(ATTEMPT_DELAY);
  }
  const leaks = leaksSince(baseline);
  if (leaks.length > 0) throw new Error(`left open by this test:\n  ${leaks.join("\n  ")}`);
}

function liveSockets(): net.Socket[] {
  for (const socket of openSockets) if (socket.destroyed) openSockets.delete(socket);
  return [...openSockets];
}

function describeSocket(socket: net.Socket): string {
  return `${socket.readyState} ${socket.localPort ?? "?"} -> ${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) {
    if (!IGNORED.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** Node does not list what is unref'd, so sockets are noted as they connect and timers as they are set. */
function watch(): void {
  if (watching) return;
  watching = true;
  watchSockets();
  watchTimers();
}

function watchSockets(): void {
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]): net.Socket {
    // What is closed is let go of now: a soak counts the memory behind it.
    liveSockets();
    openSockets.add(this);
    return Reflect.apply(connect, this, args) as net.Socket;
  } as typeof connect;
}

function watchTimers(): void {
  const { setTimeout, clearTimeout } = globalThis;
  const watched = (
    callback: (...args: unknown[]) => void,
    delay?: number,
    ...args: unknown[]
  ): NodeJS.Timeout => {
    const timer = setTimeout(() => {
      pendingTimers.delete(timer);
      callback(...args);
    }, delay);
    const caller = callerOf();
    if (!IGNORED_TIMERS.test(caller)) pendingTimers.set(timer, caller);
    return timer;
  };
  // `util.promisify(setTimeout)` finds the promise form in a property.
  globalThis.setTimeout = Object.assign(watched, setTimeout) as unknown as typeof setTimeout;
  globalThis.clearTimeout = (timer) => {
    pendingTimers.delete(timer as NodeJS.Timeout);
    clearTimeout(timer);
  };
}

/** Where the timer was set, past the clock that set it. */
function callerOf(): string {
  const frames = new Error().stack?.split("\n").slice(3) ?? [];
  return (frames.find((frame) => !frame.includes("core/clock")) ?? frames[0] ?? "?")
    .trim()
    .replace(/^at /, "");
}
