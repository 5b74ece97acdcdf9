/** How the values that callers give appear in messages. */

import { redact } from "./redact.ts";

/** A value: short, on one line, without credentials of URLs; of an object only what it is. */
export function show(value: unknown): string {
  if (typeof value === "string") return redact(JSON.stringify(value.slice(0, 80)));
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "object" || typeof value === "function" ? kindOf(value) : String(value);
}

/** What a value is, such as `a string` or `an array of 2`; never its content, which may be secret. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = nameOf(value);
  return name === "Object" ? "an object" : `${articleOf(name)} ${name}`;
}

/** The name of its class, or what the language calls it: old engines have no class for iterators. */
function nameOf(value: object): string {
  const name: unknown = value.constructor?.name;
  if (typeof name === "string" && name !== "" && name !== "Object") return name;
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** By the sound that a name begins with. */
function articleOf(name: string): string {
  return /^([AEIO]|HTTP)/i.test(name) ? "an" : "a";
}
