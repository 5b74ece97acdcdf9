import { importPackage } from "../lib/peers.mjs";

/** The `fetch` of the undici package, the body collected with `arrayBuffer()`. */
export async function create({ connections, ca }) {
  const { Agent, fetch } = await importPackage("undici-fetch");
  const dispatcher = new Agent({ connections, pipelining: 1, connect: { ca } });
  return {
    async request(url) {
      const response = await fetch(url, { dispatcher });
      return (await response.arrayBuffer()).byteLength;
    },
    close: () => dispatcher.close(),
  };
}
