import { importPackage } from "../lib/peers.mjs";

/** undici's `request`, the body collected with `arrayBuffer()`. */
export async function create({ connections, ca }) {
  const { Agent, request } = await importPackage("undici");
  const dispatcher = new Agent({ connections, pipelining: 1, connect: { ca } });
  return {
    async request(url) {
      const { body } = await request(url, { dispatcher });
      return (await body.arrayBuffer()).byteLength;
    },
    close: () => dispatcher.close(),
  };
}
