/** The clients that are measured: what each is called, its module in peers/, and the package that it comes from. */

import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const UNDICI = { from: [22, 19], newer: "undici8", older: "undici7" };
const GOT = { from: [22, 0], newer: "got16", older: "got14" };

/** In the order of the tables. `urlpool-base` is another build of urlpool, given by `--base`. */
export const PEERS = {
  urlpool: { label: "urlpool", module: "urlpool" },
  "urlpool-base": { label: "urlpool (base)", module: "urlpool" },
  "urlpool-untimed": { label: "urlpool without timeouts", module: "urlpool" },
  "urlpool-http1": { label: "urlpool, HTTP/1.1", module: "urlpool" },
  "urlpool-few": { label: "urlpool, 50 queued", module: "urlpool" },
  undici: { label: "undici request", module: "undici", package: UNDICI },
  "undici-dispatch": { label: "undici dispatch", module: "undici-dispatch", package: UNDICI },
  "undici-fetch": { label: "undici fetch", module: "undici-fetch", package: UNDICI },
  "global-fetch": { label: "fetch of Node", module: "global-fetch" },
  "node-http": { label: "node:http", module: "node-http" },
  "node-http2": { label: "node:http2", module: "node-http2" },
  h2load: { label: "h2load", module: "h2load" },
  got: { label: "got", module: "got", package: GOT },
  axios: { label: "axios", module: "axios", package: "axios" },
  socket: { label: "bare socket", module: "socket" },
  "socket-fresh": { label: "bare socket, fresh memory", module: "socket" },
  "socket-reused": { label: "bare socket, reused memory", module: "socket" },
};

/** The name in bench/node_modules of a peer's package for a Node version such as `20.19.0`; undefined if it has none. */
export function packageName(peer, nodeVersion = process.versions.node) {
  const source = PEERS[peer].package;
  if (typeof source !== "object") return source;
  const [major, minor] = nodeVersion.split(".").map(Number);
  const [fromMajor, fromMinor] = source.from;
  return major > fromMajor || (major === fromMajor && minor >= fromMinor) ? source.newer : source.older;
}

/** Imports a peer's package, whichever version this Node can run. */
export async function importPackage(peer) {
  return await import(packageName(peer));
}

/** What `import` is given to load a peer as an application would; undefined if it is part of Node. */
export function specifier(peer, dist) {
  return PEERS[peer].module === "urlpool" ? pathToFileURL(dist).href : packageName(peer);
}

/** `name@version` of the packages behind some peers, each once. */
export function packageVersions(peers, nodeVersion) {
  const names = peers.map((peer) => packageName(peer, nodeVersion)).filter((name) => name !== undefined);
  return [...new Set(names)].map((name) => {
    const path = fileURLToPath(new URL(`../node_modules/${name}/package.json`, import.meta.url));
    const { name: realName, version } = JSON.parse(readFileSync(path, "utf8"));
    return `${realName}@${version}`;
  });
}
