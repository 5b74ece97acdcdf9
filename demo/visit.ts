/** Calls, their answers, and the pools they left. */

import { HTTPError, type HTTPResponse, type PoolManager, type RequestOptions } from "urlpool";
import { heading, print, style, table } from "./terminal.ts";

/** Makes a request and prints call and answer on one line. */
export async function call(
  manager: PoolManager,
  method: string,
  url: string,
  options?: RequestOptions,
): Promise<HTTPResponse> {
  const begin = performance.now();
  const response = await manager.request(method, url, options);
  const time = `${(performance.now() - begin).toFixed(1)} ms`;
  const status = style(response.ok ? "green" : "yellow", `${response.status} ${response.reason}`);
  const server = response.headers.get("server") ?? "-";
  print(`  ${method.padEnd(5)} ${url}`);
  print(
    style("dim", `        -> `) +
      status +
      style("dim", `, ${response.data.length} bytes, ${server}, ${time}`),
  );
  return response;
}

/** What the manager's pools did. */
export function printPools(manager: PoolManager): void {
  heading("Pools");
  const rows = manager
    .stats()
    .pools.map(({ origin, proxy, numConnections, numRequests, idle }) => [
      origin,
      route(origin, proxy),
      numConnections,
      numRequests,
      `${Math.round((1 - numConnections / Math.max(1, numRequests)) * 100)} %`,
      idle,
    ]);
  table(["origin", "route", "connections", "requests", "reuse", "idle"], rows);
}

function route(origin: string, proxy: string | null): string {
  if (proxy === null) return "direct";
  return proxy === origin ? "the proxy, for all http hosts" : `tunnel through ${proxy}`;
}

/** Requests each URL twice, so that reuse shows; a failure is printed and does not stop the others. */
export async function visit(manager: PoolManager, urls: readonly string[]): Promise<void> {
  heading("Requests");
  for (const url of [...urls, ...urls]) {
    try {
      await call(manager, "GET", url);
    } catch (error) {
      if (!(error instanceof HTTPError)) throw error;
      print(`  GET   ${url}`);
      print(style("red", `        -> ${error.name} (${error.code}): ${error.message}`));
      process.exitCode = 1;
    }
  }
  printPools(manager);
  await manager.close();
}
