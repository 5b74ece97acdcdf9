import { createAgents } from "../lib/agents.mjs";
import { importPackage } from "../lib/peers.mjs";

/** axios with a keep-alive agent and its defaults, the body as a buffer; through a proxy as its option has it. */
export async function create({ connections, ca, proxy }) {
  const { default: axios } = await importPackage("axios");
  const agents = createAgents({ connections, ca });
  const client = axios.create({
    httpAgent: agents.http,
    httpsAgent: agents.https,
    responseType: "arraybuffer",
    ...(proxy === undefined ? {} : { proxy: proxyOption(proxy) }),
  });
  return {
    async request(url) {
      const response = await client.get(url);
      return response.data.length;
    },
    close: () => agents.close(),
  };
}

function proxyOption(proxy) {
  const { hostname, port } = new URL(proxy);
  return { protocol: "http", host: hostname, port: Number(port) };
}
