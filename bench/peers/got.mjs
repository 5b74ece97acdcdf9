import { createAgents } from "../lib/agents.mjs";
import { importPackage } from "../lib/peers.mjs";

/** got with a keep-alive agent and its defaults, the body as a buffer. */
export async function create({ connections, ca }) {
  const { default: got } = await importPackage("got");
  const agents = createAgents({ connections, ca });
  const client = got.extend({
    agent: { http: agents.http, https: agents.https },
    responseType: "buffer",
    ...(ca === undefined ? {} : { https: { certificateAuthority: ca } }),
  });
  return {
    async request(url) {
      const response = await client(url);
      return response.body.length;
    },
    close: () => agents.close(),
  };
}
