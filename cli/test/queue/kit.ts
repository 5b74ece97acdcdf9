/** A server for many workers, and what they print. */

import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Result } from "../../src/fetch-all/result.ts";
import type { Ended } from "../kit.ts";

/** Every name is this machine. */
export const HERE: readonly string[] = ["--resolve", "*:*:127.0.0.1"];

/** A server with every name. */
export interface Origin extends AsyncDisposable {
  readonly port: number;
  /** When each request came, by host. */
  readonly times: Map<string, number[]>;
}

/** Starts it; `answer` gives the status. */
export async function startOrigin(
  answer: (path: string, host: string) => { status: number; headers?: Record<string, string> },
): Promise<Origin> {
  const times = new Map<string, number[]>();
  const server = http.createServer((request, response) => {
    const host = request.headers.host!.split(":")[0]!;
    times.set(host, [...(times.get(host) ?? []), performance.now()]);
    const { status, headers } = answer(request.url!, host);
    response.writeHead(status, headers).end(`body of ${request.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    times,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The lines that were printed. */
export function linesOf({ text }: Ended): Result[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Result);
}
