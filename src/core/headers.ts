/**
 * Header fields: urllib3's `HTTPHeaderDict` with the methods of the platform's `Headers`. Names compare without case
 * (RFC 9110 §5.1), keep their spelling and their order, and hold one or more values each. Whether a name or value may
 * go on the wire is checked where it is written.
 */

import { InvalidArgumentError } from "./errors.ts";
import { entriesOf, type HeaderValue, type HeaderValues, isFieldObject } from "./header-source.ts";
import { kindOf } from "./shown.ts";

export type { HeaderValue, HeaderValues } from "./header-source.ts";

/**
 * What header fields can be made of: a header dict, the platform's `Headers`, a `Map`, any iterable of pairs, or a
 * plain object, whose properties are skipped where they are `undefined`.
 */
export type HeaderSource =
  | HTTPHeaderDict
  | Iterable<readonly [name: string, value: HeaderValues]>
  | { readonly [name: string]: HeaderValues | undefined };

/** As value of one of {@link SKIPPABLE_HEADERS}: the field is not sent, not even with its default (urllib3's name). */
export const SKIP_HEADER = "@@@SKIP_HEADER@@@" as const;

/** Lower-case names of the fields that {@link SKIP_HEADER} can suppress. */
export const SKIPPABLE_HEADERS: ReadonlySet<string> = new Set(["accept-encoding", "host", "user-agent"]);

/** Fields about a content that a redirect to GET leaves behind; and its framing. */
const CONTENT_HEADERS = [
  "content-encoding",
  "content-language",
  "content-location",
  "content-type",
  "content-length",
  "digest",
  "last-modified",
  "transfer-encoding",
] as const;

const CREDENTIALS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
]);

const INSPECT: symbol = Symbol.for("nodejs.util.inspect.custom");

/** Spelling and values of one field name. */
export interface Field {
  readonly name: string;
  readonly values: string[];
}

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;

/** A multi-map of header fields, in order of first appearance. */
export class HTTPHeaderDict {
  /** @internal Minifiers change the names of classes. */
  static readonly name: string = "HTTPHeaderDict";
  /** By lower-case name. */
  readonly #fields: Map<string, Field> = new Map();

  /** Adds everything in `source`: repeated names accumulate. Throws `InvalidArgumentError`. */
  constructor(source?: HeaderSource | null) {
    if (source !== undefined && source !== null) this.extend(source);
  }

  /**
   * The fields of a received head that was validated already: lines `name: value` from `start` up to the empty line.
   * A continuation line gives a space and its text (obs-fold, RFC 9112 §5.2).
   * @internal
   */
  static fromHead(head: string, start: number): HTTPHeaderDict {
    const dict = new HTTPHeaderDict();
    readFieldLines(head, start, dict.#fields);
    return dict;
  }

  /** By lower-case name; for loops that must not allocate. @internal */
  get byName(): ReadonlyMap<string, Field> {
    return this.#fields;
  }

  /** Number of distinct names. */
  get size(): number {
    return this.#fields.size;
  }

  /** The values of `name` joined with ", "; `null` if there is none. */
  get(name: string): string | null {
    const field = this.#fields.get(keyOf(name));
    return field === undefined ? null : joined(field);
  }

  /** The values of `name`, each by itself; empty if there is none (urllib3's `getlist`). */
  getList(name: string): string[] {
    return this.#fields.get(keyOf(name))?.values.slice() ?? [];
  }

  /** The values of Set-Cookie, each by itself. */
  getSetCookie(): string[] {
    return this.getList("set-cookie");
  }

  /** Whether `name` is there; `false` for what is not a string. */
  has(name: unknown): boolean {
    return typeof name === "string" && this.#fields.has(name.toLowerCase());
  }

  /** Replaces all values of `name`; its spelling becomes the new one, its place stays. */
  set(name: string, value: HeaderValue): void {
    this.#fields.set(keyOf(name), { name, values: [textOf(name, value)] });
  }

  /** Adds a value; the first spelling stays. With `combine` it is glued to the last value with ", ". */
  add(name: string, value: HeaderValue, options: { combine?: boolean } = {}): void {
    this.#add(name, value, options.combine === true);
  }

  #add(name: string, value: HeaderValue, combine: boolean): void {
    const text = textOf(name, value);
    const key = keyOf(name);
    const values = this.#fields.get(key)?.values;
    if (values === undefined) this.#fields.set(key, { name, values: [text] });
    else if (combine) values.push(`${values.pop()}, ${text}`);
    else values.push(text);
  }

  /** The same as `add`. */
  append(name: string, value: HeaderValue, options: { combine?: boolean } = {}): void {
    this.add(name, value, options);
  }

  /** Removes all values of `name`; whether there were any. */
  delete(name: string): boolean {
    return this.#fields.delete(keyOf(name));
  }

  /** The same as `delete`. */
  discard(name: string): boolean {
    return this.delete(name);
  }

  /** Removes `name` and returns its values joined with ", "; `null` if there is none. */
  pop(name: string): string | null {
    const value = this.get(name);
    this.delete(name);
    return value;
  }

  /** The joined values of `name`, after setting it to `value` if it was not there. */
  setDefault(name: string, value: HeaderValue = ""): string {
    if (!this.has(name)) this.set(name, value);
    return this.get(name) as string;
  }

  /** Removes everything. */
  clear(): void {
    this.#fields.clear();
  }

  /** Adds every value in `source`. Throws `InvalidArgumentError` for what is no source of fields. */
  extend(source: HeaderSource): void {
    if (source instanceof HTTPHeaderDict) {
      // `items` is a copy: a dict may be extended by itself.
      for (const [name, value] of source.items()) this.#add(name, value, false);
    } else if (typeof source === "object" && source !== null && isFieldObject(source)) {
      for (const name of Object.keys(source)) {
        const values = source[name];
        if (values !== undefined) this.#addAll(name, values);
      }
    } else {
      for (const [name, values] of entriesOf(source)) this.#addAll(name, values);
    }
  }

  #addAll(name: string, values: HeaderValues): void {
    if (isList(values)) for (const value of values) this.#add(name, value, false);
    else this.#add(name, values, false);
  }

  /**
   * Sets every name in `source`: where a name is repeated the last entry stands. From a header dict the values of a
   * name arrive joined, as in urllib3, but those of Set-Cookie, which cannot be joined (RFC 9110 §5.3).
   */
  update(source: HeaderSource): void {
    for (const [name, values] of replacementsOf(source)) {
      if (isList(values)) this.#replace(name, values);
      else this.set(name, values);
    }
  }

  #replace(name: string, values: readonly HeaderValue[]): void {
    const key = keyOf(name);
    const texts = values.map((value) => textOf(name, value));
    if (texts.length === 0) this.#fields.delete(key);
    else this.#fields.set(key, { name, values: texts });
  }

  /** An independent copy. */
  copy(): HTTPHeaderDict {
    const copy = new HTTPHeaderDict();
    for (const [key, { name, values }] of this.#fields)
      copy.#fields.set(key, { name, values: values.slice() });
    return copy;
  }

  /** A new dict with the fields of this one and those of `source` added (urllib3's `|`). */
  merge(source: HeaderSource): HTTPHeaderDict {
    const merged = this.copy();
    merged.extend(source);
    return merged;
  }

  /** Whether `other`, any source of fields, has the same names and joined values; order and case do not count. */
  equals(other: unknown): boolean {
    const dict = dictOf(other);
    if (dict === undefined || dict.size !== this.size) return false;
    for (const [key, field] of this.#fields) if (dict.get(key) !== joined(field)) return false;
    return true;
  }

  /** The names, in their first spelling. */
  keys(): IterableIterator<string> {
    return Array.from(this.#fields.values(), (field) => field.name).values();
  }

  /** The joined values, one per name. */
  values(): IterableIterator<string> {
    return Array.from(this.#fields.values(), joined).values();
  }

  /** One pair per value, grouped by name. Like the other iterators it shows the dict as it was at the call. */
  items(): IterableIterator<[name: string, value: string]> {
    const items: [string, string][] = [];
    for (const { name, values } of this.#fields.values()) {
      for (const value of values) items.push([name, value]);
    }
    return items.values();
  }

  /** The same as `items`. */
  entries(): IterableIterator<[name: string, value: string]> {
    return this.items();
  }

  /** One pair per name, its values joined. */
  itermerged(): IterableIterator<[name: string, value: string]> {
    return Array.from(this.#fields.values(), (field): [string, string] => [
      field.name,
      joined(field),
    ]).values();
  }

  /** Calls `callback` for each pair of `items`. */
  forEach(callback: (value: string, name: string, dict: HTTPHeaderDict) => void, thisArg?: unknown): void {
    for (const [name, value] of this.items()) callback.call(thisArg, value, name, this);
  }

  /** The same as `items`. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.items();
  }

  /**
   * Removes what describes the content, for a redirect that turns the method to GET (RFC 9110 §15.4), and
   * Transfer-Encoding. Returns this (urllib3's `_prepare_for_method_change`).
   */
  prepareForMethodChange(): this {
    for (const name of CONTENT_HEADERS) this.#fields.delete(name);
    return this;
  }

  /** A plain object of joined values, credentials included: it is data. */
  toJSON(): Record<string, string> {
    return Object.fromEntries(this.itermerged());
  }

  static {
    Object.defineProperty(this.prototype, INSPECT, {
      value: inspectFields,
      configurable: true,
      writable: true,
    });
  }
}

type Inspect = (value: unknown, options: object) => string;

/** What `console.log` shows: the joined values, but no credentials. */
function inspectFields(this: HTTPHeaderDict, depth: number, options: object, inspect: Inspect): string {
  if (depth < 0) return "[HTTPHeaderDict]";
  const shown = Array.from(this.itermerged(), ([name, value]) => [
    name,
    CREDENTIALS.has(name.toLowerCase()) ? "[redacted]" : value,
  ]);
  return `HTTPHeaderDict ${inspect(Object.fromEntries(shown), options)}`;
}

function joined({ values }: Field): string {
  return values.length === 1 ? (values[0] as string) : values.join(", ");
}

function keyOf(name: string): string {
  if (typeof name !== "string")
    throw new InvalidArgumentError(`A header name must be a string, not ${typeof name}`);
  return name.toLowerCase();
}

/** The value is not shown in the error: it may be a credential. */
function textOf(name: string, value: HeaderValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  throw new InvalidArgumentError(
    `The value of header ${String(name)} must be a string or number, not ${kindOf(value)}`,
  );
}

function isList(values: HeaderValues): values is readonly HeaderValue[] {
  return Array.isArray(values);
}

function replacementsOf(source: HeaderSource): Iterable<readonly [string, HeaderValues]> {
  if (!isMultiMap(source)) return entriesOf(source);
  const dict = new HTTPHeaderDict(source);
  const entries: [string, HeaderValues][] = [...dict.itermerged()];
  return entries.map(([name, value]) => [
    name,
    name.toLowerCase() === "set-cookie" ? dict.getList(name) : value,
  ]);
}

/** Whether `source` is a header dict or the platform's `Headers`, of whatever realm. */
function isMultiMap(source: HeaderSource): boolean {
  return typeof (source as { getSetCookie?: unknown } | null)?.getSetCookie === "function";
}

function dictOf(source: unknown): HTTPHeaderDict | undefined {
  if (source instanceof HTTPHeaderDict) return source;
  if (typeof source !== "object" || source === null) return undefined;
  try {
    return new HTTPHeaderDict(source as HeaderSource);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/**
 * Reads the lines `name: value` of `head` from `start` up to the empty line or the end into `fields`, by lower-case
 * name. The text was validated before: what is no field line is passed over. A continuation line gives one space and
 * its text (obs-fold, RFC 9112 §5.2), unless it is blank.
 */
function readFieldLines(head: string, start: number, fields: Map<string, Field>): void {
  let last: string[] | undefined;
  for (let at = start; at < head.length; ) {
    const lineFeed = head.indexOf("\n", at);
    const next = lineFeed === -1 ? head.length : lineFeed + 1;
    const end = lineEnd(head, at, next);
    if (end === at) return;
    if (isBlank(head.charCodeAt(at))) {
      if (last !== undefined) unfold(last, trimmed(head, at, end));
    } else {
      last = readField(head, at, end, fields);
    }
    at = next;
  }
}

/** Adds a continuation line to the last of `values`. */
function unfold(values: string[], text: string): void {
  if (text === "") return;
  const value = values.pop();
  values.push(value === "" ? text : `${value} ${text}`);
}

/** Where the text of the line `[at, next)` ends. */
function lineEnd(head: string, at: number, next: number): number {
  let end = next;
  if (end > at && head.charCodeAt(end - 1) === LF) end--;
  if (end > at && head.charCodeAt(end - 1) === CR) end--;
  return end;
}

/** Reads one line; the list that its value was added to. */
function readField(head: string, at: number, end: number, fields: Map<string, Field>): string[] | undefined {
  const colon = head.indexOf(":", at);
  if (colon === -1 || colon >= end) return undefined;
  const name = head.slice(at, colon);
  const key = name.toLowerCase();
  const value = trimmed(head, colon + 1, end);
  const values = fields.get(key)?.values;
  if (values !== undefined) {
    values.push(value);
    return values;
  }
  const created: Field = { name, values: [value] };
  fields.set(key, created);
  return created.values;
}

/** `head[at, end)` without the optional white space around it (RFC 9110 §5.6.3). */
function trimmed(head: string, at: number, end: number): string {
  let from = at;
  let to = end;
  while (from < to && isBlank(head.charCodeAt(from))) from++;
  while (to > from && isBlank(head.charCodeAt(to - 1))) to--;
  return head.slice(from, to);
}
