import { SMALL_BODY } from "../lib/origin.mjs";
import { batches } from "../lib/samplers.mjs";

function throughProxy(requests) {
  return {
    name: `proxy-${requests}`,
    title: `${requests} requests to one https origin through a CONNECT proxy, 10 connections`,
    measure: batches,
    scheme: "https",
    path: "/small",
    bytes: SMALL_BODY.length,
    connections: 10,
    requests,
    peers: ["urlpool", "undici", "got", "axios", "socket"],
    rounds: 9,
    // Of 500 at most half of the peer's.
    targets:
      requests === 500 ? [{ peer: "undici", of: "cpu", atLeast: 2 }] : [{ peer: "undici", atLeast: 1.3 }],
  };
}

export const cases = [20, 500].map(throughProxy);
