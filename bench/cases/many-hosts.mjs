import { HOSTS, SMALL_BODY } from "../lib/origin.mjs";
import { rates } from "../lib/samplers.mjs";

const shared = {
  measure: rates,
  scheme: "http",
  path: "/small",
  bytes: SMALL_BODY.length,
  connections: 50,
  hosts: HOSTS,
  rounds: 6,
};

export const cases = [
  {
    ...shared,
    name: "many-hosts-in-turn",
    title: `Small GET, HTTP, ${HOSTS} hosts in turn, 50 at once (urlpool: numPools ${HOSTS})`,
    inTurn: true,
    options: { urlpool: { numPools: HOSTS } },
    peers: ["urlpool", "undici", "socket"],
    // At most 0.42 and 0.45 of the peer's.
    targets: [{ peer: "undici", of: "cpu", atLeast: [2.38, 2.22] }],
  },
  {
    ...shared,
    name: "many-hosts",
    title: `Small GET, HTTP, ${HOSTS} hosts, 50 at once (urlpool: numPools 100)`,
    options: { urlpool: { numPools: 100 } },
    peers: ["urlpool", "undici", "node-http"],
  },
];
