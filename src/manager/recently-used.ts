/**
 * A bounded map that forgets its least recently used entry (urllib3's `RecentlyUsedContainer`).
 *
 * The order of a JavaScript `Map` is the order of use: oldest first, newest last.
 */

import { InvalidArgumentError } from "../core/errors.ts";
import { checkOptionsObject, refuseUnknown } from "../core/options.ts";
import { show } from "../core/shown.ts";

/** Options of {@link RecentlyUsedContainer}. */
export interface RecentlyUsedContainerOptions<V, K = unknown> {
  /** Most entries kept: a whole number of at least 0, or `Infinity`. Default 10. */
  maxsize?: number | undefined;
  /** Called once with each value that leaves: replaced, evicted, deleted or cleared. Default none. */
  disposeFunc?: ((value: V) => void) | undefined;
  /**
   * What a `Map` can find a key by: equal keys give the same. Default: the key itself, but the text of an object with a
   * string `canonical`, such as a pool key.
   */
  hash?: ((key: K) => unknown) | undefined;
}

interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
}

/**
 * Keeps the `maxsize` entries that were used last; looking at an entry with `get` or `has` counts as use.
 *
 * Pool keys compare by value, all other keys as in a `Map`. A value that is replaced, evicted, deleted or cleared
 * goes to `disposeFunc` once, least recent first, after the container has reached its new state: a `disposeFunc`
 * that throws, or that calls back into the container, does no harm to it, and its error reaches the caller.
 *
 * @throws {InvalidArgumentError} for options that make no sense.
 */
export class RecentlyUsedContainer<K, V> {
  /** Most entries kept. */
  readonly maxsize: number;
  readonly #disposeFunc: ((value: V) => void) | undefined;
  readonly #hash: (key: K) => unknown;
  readonly #entries = new Map<unknown, Entry<K, V>>();
  /** The last of `#entries` if known: what is used again and again need not move. */
  #newest: Entry<K, V> | undefined;
  /** Another key that found the most recent entry. */
  #newestAlias: K | undefined;

  constructor(options: RecentlyUsedContainerOptions<V, K> = {}) {
    checkOptions(options);
    const { maxsize = 10, disposeFunc, hash = canonicalHash } = options;
    this.maxsize = maxsize;
    this.#disposeFunc = disposeFunc;
    this.#hash = hash;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value stored under `key`, or `undefined`; counts as use. */
  get(key: K): V | undefined {
    const newest = this.#newest;
    // Keys that are the same by value are mostly one of two objects: asking for the hash takes longer than all the rest.
    if (newest !== undefined && (newest.key === key || this.#newestAlias === key)) return newest.value;
    const entry = this.#use(key);
    this.#newestAlias = entry === undefined ? undefined : key;
    return entry?.value;
  }

  /** Whether there is an entry for `key`; counts as use, as in urllib3. */
  has(key: K): boolean {
    return this.#use(key) !== undefined;
  }

  /**
   * As `get`, but does not count as use.
   * @internal
   */
  peek(key: K): V | undefined {
    return this.#entries.get(this.#hash(key))?.value;
  }

  /**
   * Stores `value` under `key` as the most recent entry, and evicts the least recent one if there are now too many;
   * with `maxsize` 0 that is the new one. An object stored again under its own key stays in, and is not disposed.
   */
  set(key: K, value: V): this {
    const hash = this.#hash(key);
    const old = this.#entries.get(hash);
    if (old !== undefined) this.#entries.delete(hash);
    this.#newest = { key, value };
    this.#newestAlias = undefined;
    this.#entries.set(hash, this.#newest);
    if (old !== undefined) {
      if (!isSameObject(old.value, value)) this.#disposeFunc?.(old.value);
    } else if (this.#entries.size > this.maxsize) {
      this.#evict();
    }
    return this;
  }

  /** Removes the entry for `key`; tells whether there was one. */
  delete(key: K): boolean {
    const hash = this.#hash(key);
    const entry = this.#entries.get(hash);
    if (entry === undefined) return false;
    this.#remove(hash, entry);
    return true;
  }

  /** Removes all entries. Each value is disposed even if `disposeFunc` throws; the first error is thrown at the end. */
  clear(): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#newest = this.#newestAlias = undefined;
    const errors: unknown[] = [];
    for (const { value } of entries) {
      try {
        this.#disposeFunc?.(value);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** A snapshot of the keys, least recent first; does not count as use. */
  keys(): K[] {
    return Array.from(this.#entries.values(), (entry) => entry.key);
  }

  /** Refused. @throws {InvalidArgumentError} always: see {@link keys}. */
  [Symbol.iterator](): never {
    return refuseIteration();
  }

  /** Refused. @throws {InvalidArgumentError} always: see {@link keys}. */
  values(): never {
    return refuseIteration();
  }

  /** Refused. @throws {InvalidArgumentError} always: see {@link keys}. */
  entries(): never {
    return refuseIteration();
  }

  /** Refused. @throws {InvalidArgumentError} always: see {@link keys}. */
  forEach(_callback?: unknown): never {
    return refuseIteration();
  }

  #use(key: K): Entry<K, V> | undefined {
    const hash = this.#hash(key);
    const entry = this.#entries.get(hash);
    if (entry === undefined || entry === this.#newest) return entry;
    this.#entries.delete(hash);
    this.#entries.set(hash, entry);
    this.#newest = entry;
    this.#newestAlias = undefined;
    return entry;
  }

  #evict(): void {
    for (const [hash, entry] of this.#entries) {
      this.#remove(hash, entry);
      return;
    }
  }

  #remove(hash: unknown, entry: Entry<K, V>): void {
    this.#entries.delete(hash);
    if (entry === this.#newest) this.#newest = this.#newestAlias = undefined;
    this.#disposeFunc?.(entry.value);
  }
}

/** @internal No string can be taken for the text of an object: one that begins like it is marked as a string. */
export function canonicalHash(key: unknown): unknown {
  if (typeof key === "string") return key.startsWith("\0") ? `\0string ${key}` : key;
  if (typeof key !== "object" || key === null) return key;
  const { canonical } = key as { canonical?: unknown };
  return typeof canonical === "string" ? `\0object ${canonical}` : key;
}

function isSameObject(a: unknown, b: unknown): boolean {
  return a === b && ((typeof a === "object" && a !== null) || typeof a === "function");
}

function refuseIteration(): never {
  throw new InvalidArgumentError(
    "A RecentlyUsedContainer is not iterable: entries may leave meanwhile, and every look counts as use. " +
      "Take a snapshot with keys() and look each one up.",
  );
}

function checkOptions(options: unknown): void {
  checkOptionsObject(options, "a RecentlyUsedContainer");
  refuseUnknown("RecentlyUsedContainer", options, ["maxsize", "disposeFunc", "hash"]);
  const { maxsize = 0, disposeFunc = null, hash = null } = options as Record<string, unknown>;
  if (maxsize !== Number.POSITIVE_INFINITY && !(Number.isInteger(maxsize) && (maxsize as number) >= 0)) {
    throw new InvalidArgumentError(
      `maxsize must be a whole number of at least 0, or Infinity, not ${show(maxsize)}`,
    );
  }
  for (const [name, value] of Object.entries({ disposeFunc, hash })) {
    if (value === null || typeof value === "function") continue;
    throw new InvalidArgumentError(`${name} must be a function, not ${show(value)}`);
  }
}
