/**
 * The ways to measure. Each `open` gets a run (`{ node, origin, dists, quick, base }`), a case and its peers, and
 * resolves to `{ start(peer), sample(peer), close() }`; a sample is `{ value, ...extras }`.
 */

import { Client } from "./child.mjs";
import { startConnectProxy } from "./connect-proxy.mjs";

const SECURE = new Set(["https", "h2"]);
const RAMP_MS = 50;
/** Compiled code is what is compared, not how fast Node compiles. */
const WARM_UP_MS = 1000;

/** What a client has to know to measure a case. */
function specFor(run, benchCase, peer) {
  const { scheme, path, bytes, connections, loops, hosts, inTurn, options, mode, upload } = benchCase;
  return {
    peer,
    url: scheme && run.origin.url(scheme, path),
    caFile: SECURE.has(scheme) ? run.origin.caFile : undefined,
    dist: run.dists[peer],
    options: options?.[peer] ?? options?.[run.subjectOf(peer)],
    bytes,
    connections,
    loops: loops?.[peer] ?? loops?.[run.subjectOf(peer)] ?? loops?.all,
    hosts,
    inTurn,
    mode,
    upload,
  };
}

/** Gives, when called, how many per cent of its time these have used their core since. */
function busyMeter(...processes) {
  const cpu = () => processes.reduce((sum, each) => sum + each.cpuMs(), 0);
  const before = { time: performance.now(), cpu: cpu() };
  return () => ((cpu() - before.cpu) / (performance.now() - before.time)) * 100;
}

/** Processes that a peer is measured in, one after the other: how the engine compiles, and where memory lies, differs. */
const STARTS = 3;

/** A client for each peer, made by `start`; after its share of the rounds a new one takes over. */
class Relay {
  #perStart;
  #start;
  #taken = new Map();
  #clients = new Map();

  constructor(run, benchCase, start) {
    this.#perStart = Math.ceil(run.roundsOf(benchCase) / (run.quick ? 1 : STARTS));
    this.#start = start;
  }

  async start(peer) {
    this.#clients.get(peer)?.kill();
    this.#clients.set(peer, await this.#start(peer));
    this.#taken.set(peer, 0);
  }

  /** The client for the next round of a peer. */
  async next(peer) {
    if (this.#taken.get(peer) === this.#perStart) await this.start(peer);
    this.#taken.set(peer, this.#taken.get(peer) + 1);
    return this.#clients.get(peer);
  }

  async end() {
    for (const client of this.#clients.values()) await client.ask("end").catch(() => client.kill());
  }
}

/** Requests per second: a client for each peer gets one slice of time a round. */
export const rates = {
  unit: "requests/s",
  better: "higher",
  async open(run, benchCase) {
    const slice = run.quick ? 250 : (benchCase.sliceMs ?? 500);
    const relay = new Relay(run, benchCase, async (peer) => {
      const client = new Client(run.node, specFor(run, benchCase, peer));
      await client.ask("create");
      await client.ask("slice", { ramp: 0, slice: run.quick ? 300 : (benchCase.warmUpMs ?? WARM_UP_MS) });
      return client;
    });
    return {
      start: (peer) => relay.start(peer),
      async sample(peer) {
        const client = await relay.next(peer);
        const busy = busyMeter(run.origin);
        const sample = await client.ask("slice", { ramp: RAMP_MS, slice });
        return { ...sample, originPercent: busy() };
      },
      close: () => relay.end(),
    };
  },
};

/** As `rates`, but all peers, which differ in their options only, live in one process and share its compiled code. */
export const sharedRates = {
  unit: "requests/s",
  better: "higher",
  async open(run, benchCase) {
    const client = new Client(run.node, specFor(run, benchCase, run.subject));
    const slice = (peer, limits) => client.ask("slice", { variant: peer, ...limits });
    return {
      async start(peer) {
        await client.ask("create", { variant: peer, options: benchCase.options?.[peer] });
        await slice(peer, { ramp: 0, slice: run.quick ? 500 : WARM_UP_MS });
      },
      // Many short slices: what disturbs one disturbs the next one too.
      sample: (peer) => slice(peer, { ramp: 20, slice: 200 }),
      close: () => client.ask("end").catch(() => client.kill()),
    };
  },
};

/** Requests per second of new agents that make a fixed number of them through a proxy, their connections included. */
export const batches = {
  unit: "requests/s",
  better: "higher",
  async open(run, benchCase) {
    const proxy = await startConnectProxy();
    const { requests } = benchCase;
    const relay = new Relay(run, benchCase, async (peer) => {
      const client = new Client(run.node, { ...specFor(run, benchCase, peer), proxy: proxy.url });
      const end = performance.now() + (run.quick ? 500 : WARM_UP_MS);
      while (performance.now() < end) await client.ask("batch", { requests });
      return client;
    });
    return {
      start: (peer) => relay.start(peer),
      async sample(peer) {
        const client = await relay.next(peer);
        const before = proxy.tunnels();
        const busy = busyMeter(run.origin, proxy);
        const all = [];
        // One of them is over in some milliseconds: whatever disturbs it is most of it.
        for (let time = 0; time < (run.quick ? 100 : 600); time += (requests / all.at(-1).value) * 1000) {
          all.push(await client.ask("batch", { requests }));
        }
        const mean = (of) => all.reduce((sum, each) => sum + of(each), 0) / all.length;
        return {
          value: 1 / mean(({ value }) => 1 / value),
          cpuMicros: mean(({ cpuMicros }) => cpuMicros),
          systemMicros: mean(({ systemMicros }) => systemMicros),
          originPercent: busy(),
          tunnels: (proxy.tunnels() - before) / all.length,
        };
      },
      async close() {
        await relay.end();
        proxy.close();
      },
    };
  },
};

/** A new client for each sample, asked one command. */
function fresh({ unit, better, flags = [], created = true, command, options }) {
  return {
    unit,
    better,
    open: async (run, benchCase) => ({
      async start() {},
      async sample(peer) {
        const client = new Client(run.node, specFor(run, benchCase, peer), flags);
        try {
          if (created) await client.ask("create");
          return await client.ask(command, options?.(run, benchCase));
        } finally {
          client.kill();
        }
      },
      async close() {},
    }),
  };
}

/** The most memory a process held while it made a fixed number of requests. */
export const peakMemory = fresh({
  unit: "MiB",
  better: "lower",
  command: "peakMemory",
  options: (run, { requests }) => ({ requests: run.quick ? requests / 5 : requests }),
});

/** Memory per idle connection. */
export const idleMemory = fresh({
  unit: "bytes",
  better: "lower",
  flags: ["--expose-gc"],
  command: "idleMemory",
});

/** Memory per request that waits for a connection. */
export const queuedMemory = fresh({
  unit: "bytes",
  better: "lower",
  flags: ["--expose-gc"],
  command: "queuedMemory",
});

/** CPU time per request, and memory at rest, of a new process. */
export const growth = fresh({
  unit: "CPU µs/request",
  better: "lower",
  flags: ["--expose-gc"],
  command: "growth",
  options: (run) => ({ slice: run.quick ? 150 : 800 }),
});

/** Time to import the package in a new process. */
export const importTime = fresh({ unit: "ms", better: "lower", created: false, command: "importTime" });
