import { HOSTS, SMALL_BODY } from "../lib/origin.mjs";
import { rates } from "../lib/samplers.mjs";

export const cases = [
  {
    name: "many-hosts",
    title: `Small GET, HTTP, ${HOSTS} hosts, 50 at once (urlpool: numPools 100)`,
    measure: rates,
    scheme: "http",
    path: "/small",
    bytes: SMALL_BODY.length,
    connections: 50,
    hosts: HOSTS,
    options: { urlpool: { numPools: 100 } },
    peers: ["urlpool", "undici", "node-http"],
    rounds: 5,
  },
];
