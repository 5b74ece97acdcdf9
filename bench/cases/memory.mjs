import { SMALL_BODY } from "../lib/origin.mjs";
import { idleMemory, peakMemory, queuedMemory } from "../lib/samplers.mjs";

const small = { scheme: "http", path: "/small", bytes: SMALL_BODY.length };

export const cases = [
  {
    ...small,
    name: "idle-memory",
    title: "Memory per idle connection, HTTP, 1000 connections",
    measure: idleMemory,
    connections: 1000,
    peers: ["urlpool", "undici", "node-http", "socket"],
    rounds: 3,
    targets: [{ peer: "undici", atMost: 0.4 }],
  },
  {
    ...small,
    name: "queued-memory",
    title: "Memory per request that waits for a connection, HTTP, 20,000 requests",
    measure: queuedMemory,
    connections: 1,
    loops: { all: 20_000 },
    peers: ["urlpool", "undici"],
    rounds: 3,
    targets: [{ peer: "undici", atMost: [0.8, 0.9] }],
  },
  {
    ...small,
    name: "peak-memory",
    title: "Peak memory of 100,000 small GETs, HTTP, 50 connections",
    measure: peakMemory,
    connections: 50,
    requests: 100_000,
    peers: ["urlpool", "undici", "socket"],
    rounds: 3,
    targets: [{ peer: "undici", atMost: 0.7 }],
  },
];
