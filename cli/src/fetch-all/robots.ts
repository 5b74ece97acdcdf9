/** robots.txt (RFC 9309): asked for once per origin and run, obeyed with its Crawl-delay. */

import { createRequire } from "node:module";
import { type PoolManager, Retry } from "urlpool";

/** The name that rules are looked up for. */
const AGENT = "urlpool";
/** RFC 9309 §2.5 wants at least 500 KiB to be read. */
const SIZE_LIMIT = 512_000;
/** Origins remembered. */
const REMEMBERED = 10_000;
/** Longer delays are a mistake, or a trap. */
const CRAWL_DELAY_MAX = 30_000;
const REDIRECTS = 5;

/** What the rules of an origin say about a URL. */
export interface Verdict {
  readonly allowed: boolean;
  /** ms; 0 without one. */
  readonly crawlDelay: number;
}

/** What the package `robots-parser` makes of a text. Its types do not fit its CommonJS module. */
interface Parsed {
  isAllowed(url: string, agent: string): boolean | undefined;
  getCrawlDelay(agent: string): number | undefined;
}
const robotsParser = createRequire(import.meta.url)("robots-parser") as (url: string, text: string) => Parsed;

type Rules = Parsed | "allow" | "disallow";

/** The rules of all origins. */
export class Robots {
  readonly #manager: PoolManager;
  readonly #retries: number;
  readonly #signal: AbortSignal;
  readonly #rules = new Map<string, Promise<Rules>>();
  /** Origins whose rules are there. */
  readonly #known = new Set<string>();

  /** `retries`: tries after the first for a robots.txt that cannot be had now. */
  constructor(manager: PoolManager, retries: number, signal: AbortSignal) {
    this.#manager = manager;
    this.#retries = retries;
    this.#signal = signal;
  }

  /** Whether the rules of its origin have been asked for. */
  knows(url: string): boolean {
    return this.#known.has(new URL(url).origin);
  }

  async verdict(url: string): Promise<Verdict> {
    const { origin } = new URL(url);
    const rules = await this.#rulesOf(origin);
    if (typeof rules === "string") return { allowed: rules === "allow", crawlDelay: 0 };
    const delay = rules.getCrawlDelay(AGENT) ?? 0;
    return {
      allowed: rules.isAllowed(url, AGENT) !== false,
      crawlDelay: Math.min(CRAWL_DELAY_MAX, delay * 1000),
    };
  }

  #rulesOf(origin: string): Promise<Rules> {
    let rules = this.#rules.get(origin);
    if (rules === undefined) {
      if (this.#rules.size >= REMEMBERED) this.#forgetOne();
      rules = this.#fetch(origin).finally(() => this.#known.add(origin));
      this.#rules.set(origin, rules);
    }
    return rules;
  }

  #forgetOne(): void {
    const oldest = this.#rules.keys().next().value as string;
    this.#rules.delete(oldest);
    this.#known.delete(oldest);
  }

  /** RFC 9309 §2.3.1: unavailable (4xx) means no rules, unreachable means that nothing is allowed. */
  async #fetch(origin: string): Promise<Rules> {
    const url = `${origin}/robots.txt`;
    try {
      using response = await this.#manager.urlopen("GET", url, {
        preloadContent: false,
        signal: this.#signal,
        retries: new Retry({
          total: null,
          connect: this.#retries,
          read: this.#retries,
          other: 0,
          status: this.#retries,
          redirect: REDIRECTS,
          statusForcelist: [429, 500, 502, 503, 504],
          backoffFactor: 500,
          raiseOnStatus: false,
          raiseOnRedirect: false,
        }),
      });
      if (response.status >= 500 || response.status === 429) return "disallow";
      if (response.status >= 300) return "allow";
      return robotsParser(url, (await response.read(SIZE_LIMIT)).toString());
    } catch {
      this.#signal.throwIfAborted();
      return "disallow";
    }
  }
}
