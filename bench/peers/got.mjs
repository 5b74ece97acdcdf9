import { HttpsProxyAgent } from "https-proxy-agent7";
import { createAgents } from "../lib/agents.mjs";
import { importPackage } from "../lib/peers.mjs";

/** got with a keep-alive agent and its defaults, the body as a buffer; through a proxy with https-proxy-agent. */
export async function create({ connections, ca, proxy }) {
  const { default: got } = await importPackage("got");
  const agents = createAgents({ connections, ca });
  const tunnels =
    proxy &&
    new HttpsProxyAgent(proxy, { keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
  const client = got.extend({
    agent: { http: agents.http, https: tunnels ?? agents.https },
    responseType: "buffer",
    ...(ca === undefined ? {} : { https: { certificateAuthority: ca } }),
  });
  return {
    async request(url) {
      const response = await client(url);
      return response.body.length;
    },
    close() {
      agents.close();
      tunnels?.destroy();
    },
  };
}
