import { SMALL_BODY } from "../lib/origin.mjs";
import { rates } from "../lib/samplers.mjs";

/** `manager.fetch` against the platform's. */
export const cases = [
  [50, 4],
  [1, 1.3],
].map(([connections, atLeast]) => ({
  name: `fetch-${connections}`,
  title: `manager.fetch, small GET, HTTP, ${connections} ${connections === 1 ? "connection" : "connections"}`,
  measure: rates,
  mode: "fetch",
  scheme: "http",
  path: "/small",
  bytes: SMALL_BODY.length,
  connections,
  peers: ["urlpool", "global-fetch", "undici-fetch"],
  baseline: "global-fetch",
  rounds: 9,
  targets: [{ peer: "global-fetch", atLeast }],
}));
