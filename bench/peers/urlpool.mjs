import { pathToFileURL } from "node:url";

/** urlpool with its default options; `dist` is the path of the build to measure. */
export async function create({ connections, ca, dist, options }) {
  const { PoolManager } = await import(pathToFileURL(dist).href);
  const tls = ca === undefined ? {} : { caCertData: ca };
  const manager = new PoolManager({ maxsize: connections, ...tls, ...options });
  return {
    async request(url) {
      const response = await manager.request("GET", url);
      return response.data.length;
    },
    close: () => manager.clear(),
  };
}
