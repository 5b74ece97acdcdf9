import { SMALL_BODY } from "../lib/origin.mjs";
import { growth } from "../lib/samplers.mjs";

const shared = {
  measure: growth,
  scheme: "http",
  path: "/small",
  bytes: SMALL_BODY.length,
  rounds: 3,
  peers: ["urlpool", "undici"],
};

/** What grows by tens; the rest stays as it is. */
const GROWING = {
  hosts: {
    steps: [1, 10, 100, 1000],
    title: (n) => `${n} hosts in turn, 50 requests at once`,
    at: (n) => ({ connections: 50, hosts: n, inTurn: true, options: { urlpool: { numPools: 1000 } } }),
  },
  connections: {
    steps: [1, 10, 100, 1000],
    title: (n) => `${n} connections to one host, all busy`,
    at: (n) => ({ connections: n }),
  },
  queue: {
    steps: [1, 10, 100, 1000, 10_000],
    title: (n) => `${n} requests queued for 10 connections`,
    at: (n) => ({ connections: 10, loops: { all: 10 + n } }),
  },
};

export const cases = Object.entries(GROWING).flatMap(([what, { steps, title, at }]) =>
  steps.map((n) => ({
    ...shared,
    name: `growth-${what}-${n}`,
    title: `Growth: ${title(n.toLocaleString("en-US"))}`,
    ...at(n),
  })),
);
