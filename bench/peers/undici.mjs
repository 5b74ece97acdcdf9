import { importPackage } from "../lib/peers.mjs";
import { callersFields, JSON_BODY, lengthOf, uploadBytes, uploadParts } from "../lib/upload.mjs";

/** undici's `request`, the body collected with `arrayBuffer()` unless the mode says otherwise. */
export async function create({
  connections,
  ca,
  options: agentOptions,
  mode = "collect",
  upload = 0,
  proxy,
}) {
  const { Agent, interceptors, ProxyAgent, request } = await importPackage("undici");
  // On one connection: undici 7 takes `pipelining` for the number of streams too, and its default of 1 for one at a time.
  const limits = agentOptions?.allowH2
    ? { connections: 1, pipelining: connections, allowH2: true }
    : { connections, pipelining: 1 };
  const agent =
    proxy === undefined
      ? new Agent({ ...limits, connect: { ca } })
      : new ProxyAgent({ uri: proxy, requestTls: { ca }, ...limits });
  const dispatcher = mode === "decode" ? agent.compose(interceptors.decompress()) : agent;
  const bytes = uploadBytes(upload);
  const collect = async (url, options) => {
    const { body } = await request(url, { dispatcher, ...options });
    return (await body.arrayBuffer()).byteLength;
  };
  const modes = {
    collect: (url) => collect(url),
    // It has nothing of the kind.
    into: (url) => collect(url),
    distinct: (url) =>
      collect(url, { headers: callersFields(), headersTimeout: 30_000, bodyTimeout: 30_000 }),
    post: (url) =>
      collect(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(JSON_BODY),
      }),
    decode: (url) => collect(url, { headers: { "accept-encoding": "gzip, deflate, br" } }),
    stream: async (url) => lengthOf((await request(url, { dispatcher })).body),
    upload: (url) => collect(url, { method: "POST", body: bytes }),
    "upload-stream": (url) => collect(url, { method: "POST", body: uploadParts(bytes) }),
  };
  return { request: modes[mode], close: () => agent.close() };
}
