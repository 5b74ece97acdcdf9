/** The `fetch` of Node as it is, the body collected with `arrayBuffer()`. */
export async function create() {
  return {
    request: async (url) => (await (await fetch(url)).arrayBuffer()).byteLength,
    async close() {},
  };
}
