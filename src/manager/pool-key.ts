/**
 * Pool keys: which requests may share a pool (urllib3's `PoolKey`, with the class names of its 1.16).
 *
 * A key is the part of a request's context that its class names in `fields`. Two keys are equal when their canonical
 * texts are, and a canonical text says each field by value, so that the order of properties does not matter and
 * nothing is compared by identity that has a value of its own.
 */

import { inspect } from "node:util";
import { keyFields } from "../client/options-table.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { canonicalHash } from "./recently-used.ts";

/** What a pool is looked up by: the origin, and the options the pool would be made with. */
export interface PoolContext {
  scheme: string;
  host: string;
  port?: number | null | undefined;
  [option: string]: unknown;
}

/** A class of pool keys. */
export interface PoolKeyClass<T extends BasePoolKey = BasePoolKey> {
  /** Names of the context's entries that make the key. */
  readonly fields: readonly string[];
  new (context: PoolContext): T;
  extend<U extends BasePoolKey>(this: PoolKeyClass<U>, ...fields: string[]): PoolKeyClass<U>;
}

/** The key under which a manager stores its pools by default. */
export type PoolKey = BasePoolKey;

/** What a key function may return: a key, or whatever else a `Map` can find again. */
export type PoolKeyLike = BasePoolKey | string | number | symbol | object;

/** Makes the key of a context. */
export type PoolKeyFunction = (context: PoolContext) => PoolKeyLike;

/** Begins every canonical text, and sets it apart from other strings. */
const KEY_MARK = "\0key ";

const BASE_FIELDS = ["scheme", "host", "port"];

// Options that are only defaults of requests are here too: they are part of how a pool answers.
const HTTP_FIELDS = keyFields("http");
const TLS_FIELDS = keyFields("https");

/** Fields whose value is a set of (name, value) pairs, whatever holds them. */
const PAIR_FIELDS: ReadonlySet<string> = new Set(["headers", "proxyHeaders", "socksOptions"]);

/**
 * Scheme, host and port: all that every key has. Keys are immutable; the fields are properties, `undefined` where the
 * context has none (`null`, `undefined` and absent are the same). Scheme and host are lower-cased.
 *
 * @throws {InvalidArgumentError} if the context's scheme or host is not a string.
 */
export class BasePoolKey {
  /** @internal Minifiers change the names of classes. */
  static readonly name: string = "BasePoolKey";
  /** Names of the context's entries that make the key. */
  static readonly fields: readonly string[] = Object.freeze([...BASE_FIELDS]);

  declare readonly scheme: string;
  declare readonly host: string;
  declare readonly port: number | undefined;
  readonly [field: string]: unknown;
  readonly #canonical: string;

  constructor(context: PoolContext) {
    let text = KEY_MARK;
    for (const field of new.target.fields) {
      const value = fieldValue(field, context[field]);
      (this as Record<string, unknown>)[field] = value;
      if (value !== undefined) text += `${JSON.stringify(field)}:${canonicalField(field, value)},`;
    }
    this.#canonical = text;
    Object.freeze(this);
  }

  /**
   * A class of keys with these fields more; fields that are there already stay once.
   * @throws {InvalidArgumentError} if a name is empty or is that of a member of every key.
   */
  static extend<T extends BasePoolKey>(this: PoolKeyClass<T>, ...fields: string[]): PoolKeyClass<T> {
    for (const field of fields) {
      if (typeof field !== "string" || field === "" || field in BasePoolKey.prototype) {
        throw new InvalidArgumentError(`A pool key cannot have a field named ${JSON.stringify(field)}`);
      }
    }
    const Parent = this as unknown as typeof BasePoolKey;
    const Extended = class extends Parent {
      static override readonly fields: readonly string[] = Object.freeze([
        ...new Set([...Parent.fields, ...fields]),
      ]);
    };
    Object.defineProperty(Extended, "name", { value: Parent.name, configurable: true });
    return Extended as unknown as PoolKeyClass<T>;
  }

  /** The fields by value, as one text: keys of one class are equal when it is. May hold secrets: not for logs. @internal */
  get canonical(): string {
    return this.#canonical;
  }

  /** Whether `other` is a key with the same fields of the same values. */
  equals(other: unknown): boolean {
    return other instanceof BasePoolKey && other.#canonical === this.#canonical;
  }

  /** Class, scheme, host and port only, as `util.inspect` prints too: the other fields may hold secrets. */
  toString(): string {
    return `${this.constructor.name}(${this.scheme}, ${this.host}, ${this.port})`;
  }

  /** Scheme, host and port only: the other fields may hold secrets. */
  toJSON(): { scheme: string; host: string; port: number | undefined } {
    return { scheme: this.scheme, host: this.host, port: this.port };
  }
}

// Not a method: the compiler cannot declare one whose name comes from another module.
Object.defineProperty(BasePoolKey.prototype, inspect.custom, {
  value(this: BasePoolKey): string {
    return this.toString();
  },
});

/** Key of pools for `http`: origin and every option of the pool and its connections, without the TLS ones. */
export class HTTPPoolKey extends BasePoolKey {
  /** @internal Minifiers change the names of classes. */
  static override readonly name: string = "HTTPPoolKey";
  static override readonly fields: readonly string[] = Object.freeze([...BASE_FIELDS, ...HTTP_FIELDS]);
}

/** Key of pools for `https`: as {@link HTTPPoolKey}, and the TLS options. */
export class HTTPSPoolKey extends HTTPPoolKey {
  /** @internal Minifiers change the names of classes. */
  static override readonly name: string = "HTTPSPoolKey";
  static override readonly fields: readonly string[] = Object.freeze([
    ...BASE_FIELDS,
    ...HTTP_FIELDS,
    ...TLS_FIELDS,
  ]);
}

/**
 * The `KeyClass` key of `context` (urllib3's `_default_key_normalizer`): entries that the class does not name are
 * ignored.
 * @throws {InvalidArgumentError} if the context's scheme or host is not a string.
 */
export function defaultKeyNormalizer<T extends BasePoolKey>(
  KeyClass: PoolKeyClass<T>,
  context: PoolContext,
): T {
  return new KeyClass(context);
}

/** The key functions every manager starts with (urllib3's `key_fn_by_scheme`); each manager has a copy of its own. */
export const keyFnByScheme: Readonly<Record<string, PoolKeyFunction>> = Object.freeze({
  http: (context: PoolContext): HTTPPoolKey => defaultKeyNormalizer(HTTPPoolKey, context),
  https: (context: PoolContext): HTTPSPoolKey => defaultKeyNormalizer(HTTPSPoolKey, context),
});

/** What a `Map` can find a pool by: the canonical text of a pool key, else the key itself. */
export function hashKey(key: PoolKeyLike): unknown {
  // A text of ours carries its mark already: no string is built per look-up.
  return key instanceof BasePoolKey ? key.canonical : canonicalHash(key);
}

function fieldValue(field: string, value: unknown): unknown {
  if (field !== "scheme" && field !== "host") return value ?? undefined;
  if (typeof value !== "string")
    throw new InvalidArgumentError(`A pool key needs a ${field} that is a string`);
  return value.toLowerCase();
}

function canonicalField(field: string, value: unknown): string {
  if (!PAIR_FIELDS.has(field) || typeof value !== "object" || value === null) return canonical(value, []);
  return canonicalPairs(value, []) ?? canonical(value, []);
}

/**
 * `value` as a text that no other value has. Every form begins with what it is and says where it ends, so that forms
 * can stand beside each other. `ancestors` are the objects around `value`.
 */
function canonical(value: unknown, ancestors: readonly object[]): string {
  switch (typeof value) {
    case "undefined":
      return "null";
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return canonicalSymbol(value);
    case "function":
      return identity(value);
    case "object":
      return value === null ? "null" : canonicalObject(value, ancestors);
    default:
      return String(value);
  }
}

function canonicalSymbol(symbol: symbol): string {
  const key = Symbol.keyFor(symbol);
  return key === undefined ? identity(symbol) : `Symbol(${JSON.stringify(key)})`;
}

function canonicalObject(value: object, ancestors: readonly object[]): string {
  if (ancestors.includes(value)) return identity(value); // A cycle has no text by value.
  const path = [...ancestors, value];
  if (Array.isArray(value)) return `[${Array.from(value, (item) => canonical(item, path)).join(",")}]`;
  if (isPlain(value)) return canonicalPlain(value, path);
  if (value instanceof Map) return `Map{${canonicalEntries(value, path)}}`;
  if (value instanceof Set) return `Set{${unordered(value, (item) => canonical(item, path))}}`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof URL) return `URL(${JSON.stringify(value.href)})`;
  return canonicalInstance(value, path) ?? identity(value);
}

function canonicalPlain(value: object, path: readonly object[]): string {
  if (Object.getOwnPropertySymbols(value).length > 0) return identity(value);
  const given = Object.entries(value).filter(([, item]) => item !== undefined && item !== null);
  return `{${canonicalEntries(given, path)}}`;
}

/** The forms of instances that say themselves what their value is; the class is part of it. */
function canonicalInstance(value: object, path: readonly object[]): string | undefined {
  const { keyParts, url, scheme, getSetCookie } = value as Record<string, unknown>;
  if (typeof keyParts === "function") return `${classOf(value)}(${canonical(keyParts.call(value), path)})`;
  if (typeof url === "string" && typeof scheme === "string")
    return `${classOf(value)}(${JSON.stringify(url)})`;
  if (typeof getSetCookie === "function") return canonicalPairs(value, path);
  return undefined;
}

function canonicalEntries(entries: Iterable<[unknown, unknown]>, path: readonly object[]): string {
  return unordered(entries, ([name, item]) => `${canonical(name, path)}:${canonical(item, path)}`);
}

/**
 * An unordered set of (name, value) pairs, from a plain object, a `Map`, `Headers` or an array of pairs: all that
 * hold the same pairs have one form. A name with an array of values is a pair for each. A pair that is there twice
 * counts twice.
 */
function canonicalPairs(value: object, ancestors: readonly object[]): string | undefined {
  const path = [...ancestors, value];
  const entries = isPlain(value) ? Object.entries(value) : reiterable(value);
  if (entries === undefined) return undefined;
  return `Pairs{${unordered(expandPairs(entries), (entry) =>
    isPair(entry) ? `${canonical(entry[0], path)}:${canonical(entry[1], path)}` : canonical(entry, path),
  )}}`;
}

function* expandPairs(entries: Iterable<unknown>): Generator<unknown> {
  for (const entry of entries) {
    if (!isPair(entry)) yield entry;
    else if (Array.isArray(entry[1])) for (const item of entry[1]) yield [entry[0], item];
    else if (entry[1] !== undefined && entry[1] !== null) yield entry;
  }
}

function isPair(entry: unknown): entry is [unknown, unknown] {
  return Array.isArray(entry) && entry.length === 2;
}

/** `value` if it can be iterated without being used up. */
function reiterable(value: object): Iterable<unknown> | undefined {
  if (ArrayBuffer.isView(value)) return undefined;
  const iterable = value as Iterable<unknown>;
  if (typeof iterable[Symbol.iterator] !== "function") return undefined;
  return (iterable[Symbol.iterator]() as unknown) === value ? undefined : iterable;
}

function unordered<T>(items: Iterable<T>, text: (item: T) => string): string {
  return Array.from(items, text).sort().join(",");
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function classOf(value: object): string {
  return identity(Object.getPrototypeOf(value) ?? value);
}

const identities = new WeakMap<WeakKey, number>();
let identityCount = 0;

/** A text for one object, function or symbol, for as long as it lives. */
function identity(value: WeakKey): string {
  let id = identities.get(value);
  if (id === undefined) {
    identityCount += 1;
    id = identityCount;
    identities.set(value, id);
  }
  return `@${id}`;
}
