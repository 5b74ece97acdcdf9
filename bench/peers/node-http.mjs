import http from "node:http";
import https from "node:https";
import { createAgents } from "../lib/agents.mjs";

/** node:http or node:https with a keep-alive agent, the chunks joined at the end. */
export async function create({ url: first, connections, ca }) {
  const agents = createAgents({ connections, ca });
  const secure = first.startsWith("https:");
  const { get } = secure ? https : http;
  const options = { agent: secure ? agents.https : agents.http };
  return {
    request: (url) =>
      new Promise((resolve, reject) => {
        const request = get(url, options, (response) => {
          const chunks = [];
          response.on("data", (chunk) => chunks.push(chunk));
          response.on("end", () => resolve(Buffer.concat(chunks).length));
          response.on("error", reject);
        });
        request.on("error", reject);
      }),
    close: () => agents.close(),
  };
}
