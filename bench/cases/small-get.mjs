import { SMALL_BODY } from "../lib/origin.mjs";
import { rates, sharedRates } from "../lib/samplers.mjs";

const CORE_PEERS = ["urlpool", "undici", "undici-dispatch", "undici-fetch", "node-http", "socket"];
const ALL_PEERS = [...CORE_PEERS, "got", "axios"];

const TARGETS = {
  http: [
    { peer: "undici", atLeast: 2.5, goal: 3 },
    { peer: "undici-dispatch", atLeast: 1.4 },
    { peer: "node-http", atLeast: 4 },
    { peer: "socket", atLeast: 0.65, goal: 0.8 },
  ],
  https: [{ peer: "undici", atLeast: 2 }],
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
    rounds: main ? 9 : 5,
    targets: main ? TARGETS[scheme] : [],
  };
}

/** The default timeouts (connect, read) against none. */
const timeouts = {
  ...smallGet("http", 50),
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
  timeouts,
];
