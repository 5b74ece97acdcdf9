/**
 * A link checker: visits the pages of a site, follows their links to other hosts too, and tells which are broken.
 *
 *     node examples/crawler.ts https://example.com/ --pages 200 --per-host 2
 *
 * The pools do the queueing. Each link is requested as soon as it is found; the pool of its host opens at most `--per-host`
 * connections, and the requests beyond wait their turn, so that a slow host delays nobody else. Ends with 1 if a link is broken.
 */

import { parseArgs } from "node:util";
import { type HTTPResponse, PoolManager } from "urlpool";

const USAGE = "usage: crawler.ts URL [--per-host 2] [--pages 100] [--timeout 10000]";

/** More of a page than this is no page. */
const LARGEST_PAGE = 2 * 1024 * 1024;

interface Settings {
  start: URL;
  perHost: number;
  pages: number;
  timeout: number;
}

class Crawler {
  readonly #manager: PoolManager;
  readonly #start: URL;
  readonly #pages: number;
  readonly #seen = new Set<string>();
  readonly #visits = new Set<Promise<void>>();
  readonly broken: string[] = [];

  constructor({ start, perHost, pages, timeout }: Settings) {
    this.#start = start;
    this.#pages = pages;
    this.#manager = new PoolManager({
      numPools: 100,
      maxsize: perHost,
      maxConnections: 100,
      timeout,
      retries: { total: 2, statusForcelist: [429, 503], backoffFactor: 0.1 },
      maxDecodedSize: LARGEST_PAGE,
      headers: { "User-Agent": "urlpool-link-checker/1.0", Accept: "text/html, */*;q=0.1" },
    });
  }

  /** Visits what can be reached; tells how much that was. */
  async run(): Promise<string> {
    this.#visit(this.#start, "the command line");
    // Visits add visits.
    for (const visit of this.#visits) await visit;
    const { pools } = this.#manager.stats();
    await this.#manager.close();
    const connections = pools.map(({ origin, numConnections, numRequests }) => {
      return `  ${origin}: ${numRequests} requests on ${numConnections} connections`;
    });
    const links = `${this.#seen.size} links, ${this.broken.length} broken`;
    return [links, ...connections.sort()].join("\n");
  }

  #visit(url: URL, from: string): void {
    url.hash = "";
    if (this.#seen.has(url.href) || this.#seen.size >= this.#pages) return;
    this.#seen.add(url.href);
    this.#visits.add(this.#look(url, from));
  }

  async #look(url: URL, from: string): Promise<void> {
    try {
      using response = await this.#manager.request("GET", url, { preloadContent: false });
      console.log(`${response.status} ${url.href}`);
      if (!response.ok) this.#complain(url, from, `status ${response.status}`);
      else if (this.#hasLinks(response)) await this.#follow(response);
    } catch (error) {
      console.log(`--- ${url.href}`);
      this.#complain(url, from, error instanceof Error ? error.message : String(error));
    }
  }

  /** Pages of other hosts are asked for, but not read. */
  #hasLinks(response: HTTPResponse): boolean {
    const isPage = (response.headers.get("content-type") ?? "").startsWith("text/html");
    return isPage && new URL(response.url).host === this.#start.host;
  }

  async #follow(response: HTTPResponse): Promise<void> {
    for (const link of linksOf(await response.text(), response.url)) this.#visit(link, response.url);
  }

  #complain(url: URL, from: string, reason: string): void {
    this.broken.push(`${url.href} (on ${from}): ${reason}`);
  }
}

/** Where the `href`s of a page lead, as far as that is http or https. */
function linksOf(html: string, base: string): URL[] {
  return [...html.matchAll(/<a\s[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/gi)]
    .map(([, double, single, bare]) => (double ?? single ?? bare ?? "").replaceAll("&amp;", "&"))
    .filter((href) => URL.canParse(href, base))
    .map((href) => new URL(href, base))
    .filter(({ protocol }) => protocol === "http:" || protocol === "https:");
}

function settings(): Settings {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      "per-host": { type: "string", default: "2" },
      pages: { type: "string", default: "100" },
      timeout: { type: "string", default: "10000" },
    },
  });
  const [url, ...more] = positionals;
  const [perHost, pages, timeout] = [values["per-host"], values.pages, values.timeout].map(Number);
  if (url === undefined || more.length > 0 || !URL.canParse(url))
    throw new TypeError("one absolute URL is needed");
  if (!(perHost! >= 1 && pages! >= 1 && timeout! > 0)) throw new TypeError("limits are positive numbers");
  return { start: new URL(url), perHost: perHost!, pages: pages!, timeout: timeout! };
}

async function main(): Promise<number> {
  const crawler = new Crawler(settings());
  const summary = await crawler.run();
  for (const line of crawler.broken) console.log(`broken: ${line}`);
  console.log(summary);
  return crawler.broken.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = 2;
}
