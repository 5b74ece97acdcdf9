import { SMALL_BODY } from "../lib/origin.mjs";
import { rates } from "../lib/samplers.mjs";

/** node:http over `manager.agent` against node:http over its own keep-alive agent. */
export const cases = ["http", "https"].map((scheme) => ({
  name: scheme === "http" ? "agent" : "agent-https",
  title: `node:http with manager.agent, small GET, ${scheme.toUpperCase()}, 50 connections`,
  measure: rates,
  mode: "agent",
  scheme,
  path: "/small",
  bytes: SMALL_BODY.length,
  connections: 50,
  peers: ["urlpool", "node-http"],
  baseline: "node-http",
  rounds: 9,
  targets: scheme === "http" ? [{ peer: "node-http", atLeast: 1.5 }] : [],
}));
