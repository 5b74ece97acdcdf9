import http from "node:http";
import https from "node:https";

/** A keep-alive agent for each scheme, as an application gives to node:http, got and axios. */
export function createAgents({ connections, ca }) {
  const options = { keepAlive: true, maxSockets: connections, maxFreeSockets: connections };
  const agents = { http: new http.Agent(options), https: new https.Agent({ ...options, ca }) };
  return {
    ...agents,
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}
