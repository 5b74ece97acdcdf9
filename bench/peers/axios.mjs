import { createAgents } from "../lib/agents.mjs";
import { importPackage } from "../lib/peers.mjs";

/** axios with a keep-alive agent and its defaults, the body as a buffer. */
export async function create({ connections, ca }) {
  const { default: axios } = await importPackage("axios");
  const agents = createAgents({ connections, ca });
  const client = axios.create({
    httpAgent: agents.http,
    httpsAgent: agents.https,
    responseType: "arraybuffer",
  });
  return {
    async request(url) {
      const response = await client.get(url);
      return response.data.length;
    },
    close: () => agents.close(),
  };
}
