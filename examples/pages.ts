/**
 * A client of an API that gives lists page by page, with `Link: <...>; rel="next"` (RFC 8288) as GitHub and GitLab do.
 * Prints each item as a line of JSON.
 *
 *     API_TOKEN=... node examples/pages.ts "https://api.github.com/repos/nodejs/node/issues?per_page=100" --limit 250
 *
 * Waits and asks again where the API says so (429 and 503 with `Retry-After`), and asks for the next page only when the
 * items of the last one have been taken. The token goes to the API's origin only.
 */

import { parseArgs } from "node:util";
import { type HTTPResponse, PoolManager, Retry } from "urlpool";

const USAGE = "usage: pages.ts URL [--limit N]   (the environment's API_TOKEN is sent as a bearer token)";

/** The pages of lists, and the items in them. */
export class ApiClient implements AsyncDisposable {
  readonly #manager: PoolManager;
  /** Pages asked for so far. */
  pages = 0;

  constructor(token: string | undefined) {
    this.#manager = new PoolManager({
      headers: {
        Accept: "application/json",
        "User-Agent": "urlpool-pages/1.0",
        Authorization: token === undefined ? undefined : `Bearer ${token}`,
      },
      timeout: { connect: 5_000, read: 30_000 },
      retries: new Retry({
        total: 5,
        statusForcelist: [429, 502, 503, 504],
        backoffFactor: 0.5,
        backoffJitter: 0.5,
      }),
    });
  }

  /** Every item of the list that begins at `url`. */
  async *items(url: URL): AsyncGenerator<unknown> {
    for (let next: URL | null = url; next !== null; ) {
      const response = await this.#manager.request("GET", next);
      this.pages += 1;
      response.raiseForStatus();
      const items = await response.json();
      if (!Array.isArray(items)) throw new TypeError(`${response.url} is no list`);
      yield* items;
      next = nextPage(response, url.origin);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#manager.close();
  }
}

/** Where the next page is; the answer may be of the API's own origin only, because our token would go there. */
function nextPage(response: HTTPResponse, origin: string): URL | null {
  for (const [, target, parameters] of (response.headers.get("link") ?? "").matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)/i.test(parameters!)) continue;
    const next = new URL(target!, response.url);
    if (next.origin === origin) return next;
    throw new Error(`the next page is on ${next.origin}, which must not see the token for ${origin}`);
  }
  return null;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { limit: { type: "string" } },
  });
  const limit = Number(values.limit ?? Number.POSITIVE_INFINITY);
  const [url, ...more] = positionals;
  if (url === undefined || more.length > 0 || !(limit > 0)) throw new TypeError(USAGE);
  await using client = new ApiClient(process.env.API_TOKEN);
  let count = 0;
  for await (const item of client.items(new URL(url))) {
    console.log(JSON.stringify(item));
    count += 1;
    if (count >= limit) break;
  }
  console.error(`${count} items of ${client.pages} pages`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
