/** Lists, results and runs for the tests of fetch-all. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HttpOrigin } from "../../../test/kit/http-origin.ts";
import type { Result } from "../../src/fetch-all/result.ts";
import { type Ended, run } from "../kit.ts";

/** Several names for one server of the test. */
export const HERE: readonly string[] = ["--resolve", "*:*:127.0.0.1", "--retry-delay", "0.05"];

/** URLs of several hosts, all of them here. */
export function listOf(origin: HttpOrigin, count: number, hosts = 1): string {
  const urls = Array.from({ length: count }, (_, n) => `http://h${n % hosts}.example:${origin.port}/${n}`);
  return `${urls.join("\n")}\n`;
}

/** The lines of results. */
export function resultsOf(text: string): Result[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Result);
}

/** The results in a folder. */
export function resultsIn(folder: string): Result[] {
  return resultsOf(readFileSync(join(folder, ".urlpool/results.jsonl"), "utf8"));
}

/** Runs a list without a folder; `PORT` in it is the server's. */
export async function printed(
  origin: HttpOrigin,
  input: string,
  ...args: string[]
): Promise<Ended & { results: Result[] }> {
  const result = await run(["fetch-all", ...HERE, ...args], {
    input: input.replaceAll("PORT", String(origin.port)),
  });
  return { ...result, results: resultsOf(result.text) };
}
