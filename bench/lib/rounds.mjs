/** Interleaved rounds: within one, each peer is measured once, and the next round starts with another peer. */

import { ratio, summary } from "./stats.mjs";

/** Measures one case on one Node; resolves to what report.mjs prints. */
export async function runCase(run, benchCase, onProgress) {
  const peers = run.select(benchCase.peers);
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

  const rounds = run.rounds ?? (run.quick ? Math.min(3, benchCase.rounds) : benchCase.rounds);
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
    peers,
    failures,
    targets: targets.map((target) => judge(target, peers)),
  };
}

/** Medians of what the samples hold beside their value. */
function extras(list) {
  const names = Object.keys(list[0] ?? {}).filter((name) => name !== "value");
  return Object.fromEntries(names.map((name) => [name, summary(list.map((sample) => sample[name])).median]));
}

/**
 * A target is `{ peer, atLeast | atMost, goal?, of? }`, for the subject's median ratio to that peer; with `of: "cpu"` for how
 * many times the CPU time per request the peer takes.
 */
function judge(target, peers) {
  const ratioToPeer = peers[target.peer]?.[target.of === "cpu" ? "cpuToSubject" : "subject"]?.median;
  const reaches = (limit) => (target.atLeast === undefined ? ratioToPeer <= limit : ratioToPeer >= limit);
  const verdict = () => {
    if (ratioToPeer === undefined) return "not measured";
    if (!reaches(target.atLeast ?? target.atMost)) return "missed";
    return target.goal !== undefined && !reaches(target.goal) ? "met, goal not yet" : "met";
  };
  return { ...target, ratio: ratioToPeer, verdict: verdict() };
}
