/** What header fields can be made of: told apart by its shape, as a `Headers` of another make is as good as the platform's. */

import { InvalidArgumentError } from "./errors.ts";
import { isPlainObject } from "./options.ts";
import { kindOf } from "./shown.ts";

/** One value; numbers become strings. */
export type HeaderValue = string | number;

/** A value, or several for as many field lines. */
export type HeaderValues = HeaderValue | readonly HeaderValue[];

type Entry = readonly [name: string, values: HeaderValues];

/** What every `Headers` has, an old one without iterators too. */
interface ForeignHeaders {
  forEach(callback: (value: string, name: string) => void): void;
}

/** Whether fields can be made of `value`: not of a promise, a date or bytes, which would give none. */
export function isHeaderSource(value: unknown): value is object {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return (
    Symbol.iterator in value ||
    isForeignHeaders(value) ||
    isPlainObject(value) ||
    Object.keys(value).length > 0
  );
}

/** Whether `source` is an object whose properties are the fields, as most are. */
export function isFieldObject(
  source: object,
): source is { readonly [name: string]: HeaderValues | undefined } {
  return isPlainObject(source) && !(Symbol.iterator in source) && !isForeignHeaders(source);
}

/** Names and values of a source that is no header dict. Throws `InvalidArgumentError`. */
export function* entriesOf(source: unknown): Generator<Entry> {
  if (!isHeaderSource(source)) {
    throw new InvalidArgumentError(`Header fields cannot be made of ${kindOf(source)}`);
  }
  if (!(Symbol.iterator in source)) {
    if (isForeignHeaders(source)) yield* pairsOf(source);
    else for (const [name, values] of Object.entries(source)) if (values !== undefined) yield [name, values];
    return;
  }
  for (const pair of source as Iterable<unknown>) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new InvalidArgumentError("An iterable of header fields must give pairs of name and value");
    }
    yield pair as unknown as Entry;
  }
}

function isForeignHeaders(source: object): source is ForeignHeaders {
  const { forEach, get } = source as Record<string, unknown>;
  return typeof forEach === "function" && typeof get === "function";
}

function pairsOf(source: ForeignHeaders): [string, string][] {
  const pairs: [string, string][] = [];
  source.forEach((value, name) => {
    pairs.push([name, value]);
  });
  return pairs;
}
