import { SMALL_BODY } from "../lib/origin.mjs";
import { peakMemory, rates } from "../lib/samplers.mjs";

const MIB = 1 << 20;

/** One connection for all that speak HTTP/2; `connections` is the number of requests at once. */
const shared = {
  scheme: "h2",
  path: "/small",
  bytes: SMALL_BODY.length,
  measure: rates,
  connections: 50,
  rounds: 9,
  // The slowest of them make a few thousand requests a second, and are compiled later than that.
  warmUpMs: 5000,
  options: { urlpool: { http2: true, maxsize: 1 }, undici: { allowH2: true } },
};

export const cases = [
  {
    ...shared,
    name: "http2-small-get-50",
    title: "Small GET, HTTP/2 over TLS, 50 at once",
    peers: ["urlpool", "urlpool-http1", "undici", "node-http2", "h2load"],
    targets: [
      { peer: "undici", atLeast: 5 },
      { peer: "undici", of: "cpu", atLeast: 5 },
      { peer: "node-http2", atLeast: 3.5 },
      { peer: "urlpool-http1", atLeast: 1.5 },
      { peer: "h2load", atLeast: 0.6 },
    ],
  },
  {
    ...shared,
    name: "http2-small-get-1",
    title: "Small GET, HTTP/2 over TLS, one at a time",
    connections: 1,
    peers: ["urlpool", "urlpool-http1", "undici", "node-http2"],
    targets: [{ peer: "urlpool-http1", atLeast: 0.9 }],
  },
  {
    ...shared,
    name: "http2-body-1m",
    title: "1 MiB collected, HTTP/2 over TLS, 8 at once",
    path: "/1m",
    bytes: MIB,
    connections: 8,
    peers: ["urlpool", "undici", "node-http2"],
    targets: [{ peer: "undici", of: "cpu", atLeast: 2 }],
  },
  {
    ...shared,
    name: "http2-peak-memory",
    title: "Peak memory of 100,000 small GETs, HTTP/2 over TLS, 50 at once",
    measure: peakMemory,
    requests: 100_000,
    rounds: 3,
    peers: ["urlpool", "undici", "node-http2"],
    targets: [{ peer: "undici", atMost: 0.5 }],
  },
];
