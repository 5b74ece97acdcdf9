import { SMALL_BODY } from "../lib/origin.mjs";
import { rates, sharedRates } from "../lib/samplers.mjs";

const CORE_PEERS = ["urlpool", "undici", "socket"];
const ALL_PEERS = [...CORE_PEERS, "undici-dispatch", "undici-fetch", "node-http", "got", "axios"];

/** By scheme and number of connections. */
const TARGETS = {
  "http-1": [{ peer: "undici", atLeast: 1.5 }],
  "http-50": [
    { peer: "undici", atLeast: [3.2, 2.6] },
    { peer: "undici-dispatch", atLeast: 1.4 },
    { peer: "node-http", atLeast: 4 },
    { peer: "socket", atLeast: [0.78, 0.76] },
  ],
  "http-500": [{ peer: "undici", atLeast: [2.8, 2.6] }],
  "https-50": [
    { peer: "undici", atLeast: [3, 2.8] },
    { peer: "socket", atLeast: [0.78, 0.76] },
  ],
};

function smallGet(scheme, connections) {
  const main = connections === 50;
  const plural = connections === 1 ? "connection" : "connections";
  return {
    name: `small-get-${scheme === "https" ? "https-" : ""}${connections}`,
    title: `Small GET, ${scheme.toUpperCase()}, ${connections} ${plural}`,
    measure: rates,
    scheme,
    path: "/small",
    bytes: SMALL_BODY.length,
    connections,
    // The slowest peers would take most of the time, and one number of connections tells enough about them.
    peers: main ? ALL_PEERS : CORE_PEERS,
    rounds: 6,
    targets: TARGETS[`${scheme}-${connections}`] ?? [],
  };
}

const few = { ...smallGet("http", 50), peers: CORE_PEERS };

/** What no memory of earlier heads and URLs can help with. */
const distinct = {
  ...few,
  name: "small-get-distinct",
  title: "Small GET, HTTP, 50 connections, every URL and head another, caller's headers and timeout",
  path: "/d/",
  mode: "distinct",
  targets: [{ peer: "socket", atLeast: [0.7, 0.68] }],
};

const post = {
  ...few,
  name: "post-json",
  title: "POST of 1 KiB of JSON, HTTP, 50 connections",
  mode: "post",
  targets: [{ peer: "undici", atLeast: [2.5, 2.3] }],
};

/** Many that wait must not make each of them dearer. */
const queued = {
  ...few,
  name: "queued",
  title: "Small GET, HTTP, 50 connections, 10,000 requests queued",
  loops: { all: 10_050, "urlpool-few": 100, socket: 50 },
  peers: ["urlpool", "urlpool-few", "socket"],
  baseline: "urlpool-few",
  // As many requests as wait, several times over.
  sliceMs: 1000,
  // At most 1.35 and 1.25 times the CPU time.
  targets: [{ peer: "urlpool-few", of: "cpu", atLeast: [0.74, 0.8] }],
};

/** The default timeouts (connect, read) against none. */
const timeouts = {
  ...few,
  name: "timeouts",
  title: "What timeouts cost: small GET, HTTP, 50 connections",
  measure: sharedRates,
  peers: ["urlpool", "urlpool-untimed"],
  options: { "urlpool-untimed": { timeout: null } },
  baseline: "urlpool-untimed",
  rounds: 301,
  targets: [{ peer: "urlpool-untimed", atLeast: 0.97 }],
};

export const cases = [
  ...["http", "https"].flatMap((scheme) => [1, 50, 500].map((connections) => smallGet(scheme, connections))),
  distinct,
  post,
  queued,
  timeouts,
];
