/** Interleaved rounds: within one, each peer is measured once, and the next round starts with another peer. */

import { ratio, summary } from "./stats.mjs";

/** Measures one case on one Node; resolves to what report.mjs prints. */
export async function runCase(run, benchCase, onProgress) {
  const peers = run.select(benchCase);
  const samples = Object.fromEntries(peers.map((peer) => [peer, []]));
  const failures = {};
  const attempt = async (peer, action) => {
    if (failures[peer] !== undefined) return;
    try {
      await action();
    } catch (error) {
      failures[peer] = error.message;
      onProgress(`${benchCase.name}: ${peer} failed\n${error.message}\n`);
    }
  };

  const rounds = run.roundsOf(benchCase);
  const sampler = await benchCase.measure.open(run, benchCase);
  for (const peer of peers) await attempt(peer, () => sampler.start(peer));
  for (let round = 0; round < rounds; round++) {
    onProgress(`${benchCase.name}: round ${round + 1} of ${rounds}`);
    for (const peer of rotate(peers, round)) {
      await attempt(peer, async () => samples[peer].push(await sampler.sample(peer)));
    }
  }
  await sampler.close();
  return summarise(run, benchCase, { rounds, samples, failures });
}

function rotate(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function summarise(run, benchCase, { rounds, samples, failures }) {
  const { name, title, measure, baseline = "undici", targets = [] } = benchCase;
  const measured = Object.keys(samples).filter((peer) => failures[peer] === undefined);
  const values = (peer, name = "value") => samples[peer].map((sample) => sample[name]);
  const has = (peer) => measured.includes(peer);
  const perPeer = (peer) => ({
    ...extras(samples[peer]),
    value: summary(values(peer)),
    toBaseline: has(baseline) ? ratio(values(peer), values(baseline)) : undefined,
    // How the subject compares with this peer.
    subject: has(run.subject) ? ratio(values(run.subject), values(peer)) : undefined,
    cpuToSubject:
      has(run.subject) && samples[peer][0]?.cpuMicros !== undefined
        ? ratio(values(peer, "cpuMicros"), values(run.subject, "cpuMicros"))
        : undefined,
  });
  const peers = Object.fromEntries(measured.map((peer) => [peer, perPeer(peer)]));
  return {
    name,
    title,
    unit: measure.unit,
    better: measure.better,
    baseline,
    rounds,
    measured: new Date().toISOString().slice(0, 10),
    peers,
    failures,
    noise: noiseOf(peers, targets),
    targets: targets.map((target) => judge(target, run.major, peers, run.subject)),
  };
}

/** Above this the origin is the limit, not the client: then CPU time decides. */
export const ORIGIN_FULL = 90;

/** What is more than this, in %, was not measured in peace: waits for a core even of the peer that waited least, and the spread of a ratio. */
const MOST_WAIT = 5;
const MOST_SPREAD = 25;

/** Why the figures of a case are not to be relied on; `undefined` if they are. */
function noiseOf(peers, targets) {
  const waits = Object.values(peers).flatMap(({ waitPercent }) => waitPercent ?? []);
  const least = Math.min(...waits);
  if (waits.length > 0 && least > MOST_WAIT) {
    return `others used the clients' core: no client waited for it less than ${least.toFixed(0)} % of the time`;
  }
  const spreads = targets.flatMap(({ peer, of }) => {
    const ratio = peers[peer]?.[of === "cpu" ? "cpuToSubject" : "subject"];
    return ratio === undefined ? [] : [((ratio.q3 - ratio.q1) / ratio.median) * 100];
  });
  const most = Math.max(...spreads);
  if (most > MOST_SPREAD) return `the middle half of the rounds differs by ${most.toFixed(0)} %`;
  return undefined;
}

/** Medians of what the samples hold beside their value. */
function extras(list) {
  const names = Object.keys(list[0] ?? {}).filter((name) => name !== "value");
  return Object.fromEntries(names.map((name) => [name, summary(list.map((sample) => sample[name])).median]));
}

/**
 * A target is `{ peer, atLeast | atMost, goal?, of? }`, for the subject's median ratio to that peer; with `of: "cpu"` for how
 * many times the CPU time per request the peer takes, which also decides where the origin's core was full. A limit is a
 * number, or two: for Node 20 and for Node 24.
 */
function judge({ atLeast, atMost, ...rest }, major, peers, subject) {
  const target = { ...rest, ...limits({ atLeast, atMost }, major) };
  const measured = peers[target.peer];
  const full = Math.max(peers[subject]?.originPercent ?? 0, measured?.originPercent ?? 0) > ORIGIN_FULL;
  const byCpu = target.of === "cpu" || (full && measured?.cpuToSubject !== undefined);
  const ratioToPeer = measured?.[byCpu ? "cpuToSubject" : "subject"]?.median;
  const reaches = (limit) => (target.atLeast === undefined ? ratioToPeer <= limit : ratioToPeer >= limit);
  const verdict = () => {
    if (ratioToPeer === undefined) return "not measured";
    if (!reaches(target.atLeast ?? target.atMost)) return "missed";
    return target.goal !== undefined && !reaches(target.goal) ? "met, goal not yet" : "met";
  };
  return {
    ...target,
    ...(byCpu && { of: "cpu" }),
    ...(byCpu && target.of !== "cpu" && { originFull: true }),
    ratio: ratioToPeer,
    verdict: verdict(),
  };
}

function limits(given, major) {
  const of = (limit) => (Array.isArray(limit) ? limit[major >= 24 ? 1 : 0] : limit);
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, limit]) => (limit === undefined ? [] : [[name, of(limit)]])),
  );
}
