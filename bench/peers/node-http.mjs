import http from "node:http";
import https from "node:https";
import { createAgents } from "../lib/agents.mjs";
import { collect } from "../lib/node-http.mjs";

/** node:http or node:https with a keep-alive agent, the chunks joined at the end. */
export async function create({ url: first, connections, ca }) {
  const agents = createAgents({ connections, ca });
  const secure = first.startsWith("https:");
  const options = { agent: secure ? agents.https : agents.http };
  return {
    request: (url) => collect(secure ? https : http, url, options),
    close: () => agents.close(),
  };
}
