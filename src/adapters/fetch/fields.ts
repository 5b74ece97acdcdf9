/** Header fields of a fetch: the caller's, and what fetch adds to them. */

import { InvalidArgumentError } from "../../core/errors.ts";

/** Fields by name as it was spelled; several values are as many lines. */
export type Fields = Record<string, string | string[]>;

/** What of a call the fields depend on besides the fields themselves. */
export interface FieldContext {
  /** The `cache` mode. */
  readonly cache: RequestCache;
  readonly mode: string;
  /** The Referer, `null` for none. */
  readonly referer: string | null;
  readonly userAgent: string | null;
}

type RequestCache = Request["cache"];

/** Neither an encoding of the name nor of the value is needed, and there is no space around it. */
const PLAIN_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const PLAIN_VALUE = /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/;

/** They go with the body when a redirect drops it (Fetch §4.4). */
const ABOUT_BODY = [
  "content-type",
  "content-length",
  "content-encoding",
  "content-language",
  "content-location",
];

/** They make a request conditional: the caller has a cache of its own. */
const CONDITIONAL = ["if-modified-since", "if-none-match", "if-unmodified-since", "if-match", "if-range"];

/** What framing and connections are made of is the library's. */
const REFUSED = ["transfer-encoding", "keep-alive", "upgrade"];

/**
 * The fields of a plain record that needs no conversion, `null` for all others: `Headers` has the rules for those, and
 * takes its time.
 */
export function plainFields(record: object): Fields | null {
  const { prototype } = Object;
  if (Object.getPrototypeOf(record) !== prototype) return null;
  if (Object.getOwnPropertySymbols(record).length > 0) return null;
  const fields: Fields = {};
  const seen = new Set<string>();
  for (const name of Object.keys(record)) {
    const value = (record as Record<string, unknown>)[name];
    if (typeof value !== "string" || !PLAIN_VALUE.test(value) || !PLAIN_NAME.test(name)) return null;
    const lower = name.toLowerCase();
    if (seen.has(lower) || lower === "__proto__") return null;
    seen.add(lower);
    fields[name] = value;
  }
  return fields;
}

/** The fields of `headers`, each under its spelling in `given` where that shows one. */
export function spelledFields(headers: Headers, given: unknown): Fields {
  const spelling = new Map<string, string>();
  for (const name of namesOf(given)) {
    if (!spelling.has(name.toLowerCase())) spelling.set(name.toLowerCase(), name);
  }
  const fields: Fields = Object.create(null) as Fields;
  for (const [name, value] of headers) {
    const spelled = spelling.get(name) ?? name;
    const before = fields[spelled];
    fields[spelled] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}

function namesOf(given: unknown): string[] {
  if (typeof given !== "object" || given === null || given instanceof Headers) return [];
  if (Symbol.iterator in given) return [...(given as Iterable<Iterable<unknown>>)].map(([name]) => `${name}`);
  return Object.keys(given);
}

/**
 * What goes on the wire: the caller's fields and the defaults of Node's fetch. Throws `InvalidArgumentError` for fields
 * that are not the caller's to set. Accept-Encoding is left to the library.
 */
export function completeFields(given: Fields, context: FieldContext): Fields {
  const fields: Fields = {};
  const has = new Set<string>();
  for (const name of Object.keys(given)) {
    const lower = name.toLowerCase();
    if (REFUSED.includes(lower)) throw new InvalidArgumentError(`fetch does not send ${name}`);
    // A Host of one's own is for `manager.request`; the mode says how a page would have asked.
    if (lower === "host" || lower === "sec-fetch-mode") continue;
    has.add(lower);
    fields[name] = lower === "content-length" ? asNumber(given[name]!) : given[name]!;
  }
  if (!has.has("accept")) fields.accept = "*/*";
  if (!has.has("accept-language")) fields["accept-language"] = "*";
  fields["sec-fetch-mode"] = context.mode;
  if (context.userAgent !== null && !has.has("user-agent")) fields["user-agent"] = context.userAgent;
  if (has.has("range") && !has.has("accept-encoding")) fields["accept-encoding"] = "identity";
  addCacheFields(fields, has, context.cache);
  if (context.referer !== null && !has.has("referer")) fields.referer = context.referer;
  return fields;
}

/** As a number is written; the platform reads it as one. */
function asNumber(value: string | string[]): string | string[] {
  return typeof value === "string" ? value.replace(/^0+(?=\d)/, "") : value;
}

/** As completed for a call without any fields. */
export function defaultFields(userAgent: string | null): Fields {
  return completeFields({}, { cache: "default", mode: "cors", referer: null, userAgent });
}

function addCacheFields(fields: Fields, has: ReadonlySet<string>, mode: RequestCache): void {
  const conditional = mode === "default" && CONDITIONAL.some((name) => has.has(name));
  if (mode === "no-store" || mode === "reload" || conditional) {
    if (!has.has("pragma")) fields.pragma = "no-cache";
    if (!has.has("cache-control")) fields["cache-control"] = "no-cache";
  } else if (mode === "no-cache" && !has.has("cache-control")) fields["cache-control"] = "max-age=0";
}

/** Without the fields that describe a body. */
export function withoutBodyFields(fields: Fields): Fields {
  return without(fields, ABOUT_BODY);
}

/** Without a Content-Length: what goes without a body has the one that its method asks for (RFC 9110 §8.6). */
export function withoutLength(fields: Fields): Fields {
  const isLength = (name: string, value: string | string[]): boolean =>
    name.toLowerCase() === "content-length" && /^\d+$/.test(String(value));
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => !isLength(name, value)));
}

/** Without the fields of the given names, in lower case. */
export function without(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name.toLowerCase())));
}
