import { pathToFileURL } from "node:url";
import { collectBy } from "../lib/node-http.mjs";
import { callersFields, JSON_BODY, lengthOf, uploadBytes, uploadParts } from "../lib/upload.mjs";

/** urlpool with its default options; `dist` is the path of the build to measure. */
export async function create({
  connections,
  ca,
  dist,
  options,
  mode = "collect",
  upload = 0,
  proxy,
  bytes: size,
}) {
  const { PoolManager, ProxyManager } = await import(pathToFileURL(dist).href);
  const tls = ca === undefined ? {} : { caCertData: ca };
  const settings = { maxsize: connections, ...tls, ...options };
  const manager = proxy === undefined ? new PoolManager(settings) : new ProxyManager(proxy, settings);
  const bytes = uploadBytes(upload);
  // Not where malloc's blocks begin: see docs/performance.md.
  const memory = mode === "into" ? Buffer.allocUnsafeSlow(size + 64).subarray(64) : null;
  const modes = {
    into: async (url) => (await manager.request("GET", url, { into: memory })).data.length,
    distinct: async (url) =>
      (await manager.request("GET", url, { headers: callersFields(), timeout: 30_000 })).data.length,
    post: async (url) => (await manager.request("POST", url, { json: JSON_BODY })).data.length,
    collect: async (url) => (await manager.request("GET", url)).data.length,
    decode: async (url) => (await manager.request("GET", url)).data.length,
    stream: async (url) => lengthOf(await manager.request("GET", url, { preloadContent: false })),
    upload: async (url) => (await manager.request("POST", url, { body: bytes })).data.length,
    "upload-stream": async (url) =>
      (await manager.request("POST", url, { body: uploadParts(bytes) })).data.length,
    fetch: async (url) => (await (await manager.fetch(url)).arrayBuffer()).byteLength,
    agent: collectBy(manager),
  };
  return { request: modes[mode], close: () => manager.clear() };
}
