/**
 * The origins of URLs that were seen before: the pool of another URL below one of them is found without parsing, if the
 * target can be taken as it stands. That is so where what follows the origin is made of characters that need no
 * encoding, without dot segments and fragment. Anything else goes the long way.
 */

import type { PoolContext, PoolKeyLike } from "./pool-key.ts";

/** An origin seen in plain form, and the key of its pool. */
export interface KnownOrigin {
  readonly prefix: string;
  readonly key: PoolKeyLike;
  readonly context: PoolContext;
}

/** They are forgotten all at once: they are cheap to find again. */
const MAX_KNOWN_ORIGINS = 4096;

/** Finds the origin of a URL. */
export class KnownOrigins {
  /** The origin found last: the next URL is often one of it. */
  last: KnownOrigin | null = null;
  readonly #known = new Map<string, KnownOrigin>();

  /** The origin of a URL whose target needs no parsing; `null` where it is not known. */
  find(url: string): KnownOrigin | null {
    let origin = this.last;
    if (origin === null || !isUnder(url, origin.prefix)) {
      origin = this.#known.get(url.slice(0, originEnd(url))) ?? null;
      if (origin === null) return null;
    }
    if (!isPlainTarget(url, origin.prefix.length)) return null;
    // Only now: the last URL is of the last origin.
    this.last = origin;
    return origin;
  }

  add(origin: KnownOrigin): void {
    if (this.#known.size >= MAX_KNOWN_ORIGINS) this.clear();
    this.#known.set(origin.prefix, origin);
  }

  clear(): void {
    this.#known.clear();
    this.last = null;
  }
}

/** Whether `url` is `prefix` itself, or goes on with a path. */
export function isUnder(url: string, prefix: string): boolean {
  if (!url.startsWith(prefix)) return false;
  return url.length === prefix.length || url.charCodeAt(prefix.length) === 47;
}

const UNRESERVED_AND_DELIMITERS = "-._~!$&'()*+,;=:@/?";

const PLAIN = Uint8Array.from({ length: 128 }, (_unused, code) =>
  /[A-Za-z0-9]/.test(String.fromCharCode(code)) ||
  UNRESERVED_AND_DELIMITERS.includes(String.fromCharCode(code))
    ? 1
    : 0,
);

const SLASH = 47;
const DOT = 46;

/** Whether `url.slice(start)` is empty or a plain path with query. */
function isPlainTarget(url: string, start: number): boolean {
  if (start === url.length) return true;
  if (url.charCodeAt(start) !== SLASH) return false;
  let previous = SLASH;
  for (let i = start + 1; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code > 127 || PLAIN[code] === 0 || (code === DOT && previous === SLASH)) return false;
    previous = code;
  }
  return true;
}

/** Where the origin of `url` ends, or -1 if it does not start with one. */
function originEnd(url: string): number {
  const authority = url.indexOf("://") + 3;
  if (authority === 2) return -1;
  const end = url.indexOf("/", authority);
  return end === -1 ? url.length : end;
}
