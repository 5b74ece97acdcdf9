/**
 * Host name -> addresses. Look-ups of one name that are under way at the same time are one look-up: `getaddrinfo` has
 * four threads for the whole process. Nothing is cached unless a `DnsCache` is given.
 */

import dns, { type LookupAddress } from "node:dns";
import { closeSync, openSync } from "node:fs";
import { isIP, type LookupFunction } from "node:net";
import { devNull } from "node:os";
import type { Clock } from "../core/clock.ts";
import { InvalidArgumentError, LocationParseError, NameResolutionError } from "../core/errors.ts";

/** An address of a host; IPv6 may have a zone. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** How to resolve. */
export interface ResolveOptions {
  readonly clock: Clock;
  /** As for `net.connect`. Default `dns.lookup`, in the order it gives. */
  readonly lookup?: LookupFunction | null | undefined;
  /** Only addresses of this family; 0 for both. */
  readonly family?: 0 | 4 | 6 | null | undefined;
  readonly dnsCache?: DnsCache | null | undefined;
}

/** Exactly one of the two is `null`. */
export type Resolved = (error: Error | null, addresses: readonly Address[] | null) => void;

/** How long (ms) others may join a look-up that is under way: one that never ends must not hold all later requests. */
const SHARED_FOR = 30_000;

/** Keeps the answers of look-ups that succeeded, by look-up function, family and name. */
export class DnsCache {
  readonly #ttl: number;
  readonly #maxEntries: number;
  readonly #entries = new Map<string, { addresses: readonly Address[]; end: number }>();

  /**
   * Keeps at most `maxEntries` (default 1000) names, each for `ttl` ms (default 10_000).
   * Throws `InvalidArgumentError` for numbers that are not above 0.
   */
  constructor({ ttl = 10_000, maxEntries = 1000 }: { ttl?: number; maxEntries?: number } = {}) {
    if (!(ttl > 0 && maxEntries >= 1)) {
      throw new InvalidArgumentError("DnsCache needs a ttl above 0 and room for at least one entry");
    }
    this.#ttl = ttl;
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
  }

  /** @internal */
  get(key: string, now: number): readonly Address[] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || now < entry.end) return entry?.addresses;
    this.#entries.delete(key);
    return undefined;
  }

  /** @internal */
  set(key: string, addresses: readonly Address[], now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { addresses, end: now + this.#ttl });
    if (this.#entries.size > this.#maxEntries)
      this.#entries.delete(this.#entries.keys().next().value as string);
  }

  /** Forgets one answer: none of its addresses could be reached. @internal */
  forget(host: string, options: ResolveOptions): void {
    this.#entries.delete(lookupKey(host, options));
  }
}

/**
 * Finds the addresses of `host`; an address is its own answer. Calls back once, maybe at once: with
 * `LocationParseError` if `host` cannot be a name, `NameResolutionError` if the look-up fails or finds nothing.
 * The function it returns stops waiting: `done` is not called then. Others who wait for the same name are still called.
 */
export function resolve(host: string, options: ResolveOptions, done: Resolved): () => void {
  const family = isIP(host);
  if (family !== 0) return answer(done, null, [{ address: host, family: family as 4 | 6 }]);
  if (!hasGoodLabels(host)) {
    const error = new LocationParseError(`'${host}', label empty or too long`, { phase: "dns" });
    return answer(done, error, null);
  }
  const key = lookupKey(host, options);
  const { clock, dnsCache } = options;
  const cached = dnsCache?.get(key, clock.now());
  if (cached !== undefined) return answer(done, null, cached);
  return sharedLookup(key, host, options).join((error, addresses) => {
    if (addresses !== null) dnsCache?.set(key, addresses, clock.now());
    done(error, addresses);
  });
}

function answer(done: Resolved, error: Error | null, addresses: readonly Address[] | null): () => void {
  done(error, addresses);
  return () => {};
}

/** Whether every label has 1 to 63 characters (RFC 1035 §2.3.4); a dot at the end is allowed. */
function hasGoodLabels(host: string): boolean {
  const labels = host.replace(/\.$/, "").split(".");
  return labels.every((label) => label.length >= 1 && label.length <= 63);
}

const functionIds = new WeakMap<LookupFunction, number>();
let lastFunctionId = 0;

function lookupKey(host: string, options: ResolveOptions): string {
  const lookup = lookupOf(options);
  const id = functionIds.get(lookup) ?? ++lastFunctionId;
  functionIds.set(lookup, id);
  return `${id} ${options.family ?? 0} ${host}`;
}

/** `dns.lookup` is read at every call: tools that watch or cache DNS replace it. */
function lookupOf({ lookup }: ResolveOptions): LookupFunction {
  return lookup ?? (dns.lookup as LookupFunction);
}

const underWay = new Map<string, SharedLookup>();

function sharedLookup(key: string, host: string, options: ResolveOptions): SharedLookup {
  const now = options.clock.now();
  const current = underWay.get(key);
  if (current !== undefined && now - current.startedAt < SHARED_FOR) return current;
  const lookup = new SharedLookup(host, now, () => {
    if (underWay.get(key) === lookup) underWay.delete(key);
  });
  underWay.set(key, lookup);
  lookup.start(lookupOf(options), options.family ?? 0);
  return lookup;
}

/** What a look-up came to. Errors are made for each waiter: the floors above write into them. */
type Outcome = { addresses: readonly Address[] } | { reason: string; cause?: unknown };

/** One call of a look-up function, and everybody who waits for it. */
class SharedLookup {
  readonly startedAt: number;
  readonly #host: string;
  readonly #onEnd: () => void;
  readonly #waiting = new Set<Resolved>();
  #outcome: Outcome | null = null;

  constructor(host: string, startedAt: number, onEnd: () => void) {
    this.#host = host;
    this.startedAt = startedAt;
    this.#onEnd = onEnd;
  }

  start(lookup: LookupFunction, family: number): void {
    try {
      const given: unknown = lookup(this.#host, { all: true, family }, (error, found) => {
        this.#end(error ? failed(error) : outcomeOf(found, family));
      });
      // An asynchronous function may fail before it calls back.
      if (given instanceof Promise) given.catch((error: unknown) => this.#end(failed(error)));
    } catch (error) {
      this.#end(failed(error));
    }
  }

  /** `waiter` is called once, later, unless it leaves before by calling what is returned. */
  join(waiter: Resolved): () => void {
    this.#waiting.add(waiter);
    if (this.#outcome !== null) this.#tell(waiter, this.#outcome);
    return () => this.#waiting.delete(waiter);
  }

  #end(outcome: Outcome): void {
    // The caller's look-up function may call back twice.
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    this.#onEnd();
    for (const waiter of this.#waiting) this.#tell(waiter, outcome);
  }

  /** Each in its own microtask, so that what one of them throws does not cut off the others. */
  #tell(waiter: Resolved, outcome: Outcome): void {
    queueMicrotask(() => {
      if (!this.#waiting.delete(waiter)) return;
      if ("addresses" in outcome) waiter(null, outcome.addresses);
      else waiter(failure(this.#host, outcome), null);
    });
  }
}

/**
 * `found` is one address, or with `all` (which a look-up function may ignore) an array. A function of the caller's may
 * give anything: what is no address is named in the error.
 */
function outcomeOf(found: string | LookupAddress[], family: number): Outcome {
  const texts = (Array.isArray(found) ? found : found ? [found] : []).map(addressText);
  const addresses = texts
    .map((address) => ({ address, family: isIP(address) as 0 | 4 | 6 }))
    .filter((one): one is Address => one.family !== 0 && (family === 0 || one.family === family));
  if (addresses.length > 0) return { addresses };
  return { reason: texts.length === 0 ? "no addresses" : `no usable address: ${texts.join(", ")}` };
}

function addressText(one: string | LookupAddress | null | undefined): string {
  return String(typeof one === "object" && one !== null ? one.address : one);
}

/** About how many file descriptors a look-up needs at once, for files and sockets of its own. */
const LOOKUP_DESCRIPTORS = 3;

/** A system without free file descriptors reports every name as not found: the error names the real cause. */
function failed(error: unknown): Outcome {
  const shortage = descriptorShortage();
  if (shortage === null) return { reason: messageOf(error), cause: error };
  return { reason: `${messageOf(error)}; no file descriptor is left: ${shortage.message}`, cause: shortage };
}

/** Why no file can be opened now; `null` if some can. */
function descriptorShortage(): Error | null {
  const opened: number[] = [];
  try {
    while (opened.length < LOOKUP_DESCRIPTORS) opened.push(openSync(devNull, "r"));
    return null;
  } catch (error) {
    return OUT_OF_DESCRIPTORS.has((error as NodeJS.ErrnoException).code ?? "") ? (error as Error) : null;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/** The limit of this process, or of the machine. */
const OUT_OF_DESCRIPTORS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);

function failure(host: string, { reason, cause }: { reason: string; cause?: unknown }): NameResolutionError {
  return new NameResolutionError(`Failed to resolve '${host}' (${reason})`, {
    phase: "dns",
    ...(cause === undefined ? {} : { cause }),
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
