/**
 * Downloads a file, through a proxy if there is one, and goes on where an earlier run stopped.
 *
 *     node examples/download.ts https://example.com/big.iso big.iso --proxy http://proxy.example.com:3128 --sha256 9f86d0...
 *
 * Without `--proxy` the environment's HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY count. Ctrl-C stops it; the same command
 * goes on. The file appears under its name only when all of it is there and its digest is right.
 */

import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type DownloadOptions, type PoolManager, type Progress, proxyFromEnv, proxyFromUrl } from "urlpool";

const USAGE = "usage: download.ts URL [FILE] [--proxy URL] [--sha256 HEX] [--retries 3]";

interface Settings {
  url: URL;
  file: string;
  proxy: string | undefined;
  retries: number;
  digest: string | undefined;
}

function settings(): Settings {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      proxy: { type: "string" },
      sha256: { type: "string" },
      retries: { type: "string", default: "3" },
    },
  });
  const [text = "", file] = positionals;
  if (!URL.canParse(text) || positionals.length > 2) throw new TypeError(USAGE);
  const url = new URL(text);
  const name = file ?? basename(decodeURIComponent(url.pathname));
  if (name === "") throw new TypeError(`${url.href} has no file name: give one\n${USAGE}`);
  return { url, file: name, proxy: values.proxy, retries: Number(values.retries), digest: values.sha256 };
}

/** One line that is written over on a terminal; else a line for each tenth. */
function progressBar(): (progress: Progress) => void {
  let tenths = -1;
  return ({ transferred, total, percent, bytesPerSecond }) => {
    const share = percent === null ? "" : ` (${Math.floor(percent * 100)} %)`;
    const speed = `${(bytesPerSecond / 1e6).toFixed(1)} MB/s`;
    const line = `${transferred} of ${total ?? "?"} bytes${share}, ${speed}`;
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[K${line}${transferred === total ? "\n" : ""}`);
      return;
    }
    const now = Math.floor((percent ?? 0) * 10);
    if (now > tenths || transferred === total) console.error(line);
    tenths = now;
  };
}

async function main(): Promise<number> {
  const { url, file, proxy, retries, digest } = settings();
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort(new Error("interrupted")));
  await using manager: PoolManager = proxy === undefined ? proxyFromEnv() : proxyFromUrl(proxy);
  const options: DownloadOptions = {
    retries: { total: retries, backoffFactor: 0.5, statusForcelist: [502, 503, 504] },
    signal: stop.signal,
    onDownloadProgress: progressBar(),
    digest: { algorithm: "sha256", value: digest },
  };
  try {
    const { path, bytes, resumedFrom, digest } = await manager.downloadTo(url, file, options);
    const before = resumedFrom === 0 ? "" : `, ${resumedFrom} of them from an earlier run`;
    console.log(`${path}: ${bytes} bytes${before}\nsha256 ${digest}`);
    return 0;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nThe same command goes on.`);
    return 1;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
