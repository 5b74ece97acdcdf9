/** What `Retry` and `Timeout` have in common in checking the options they are given. */

import { InvalidArgumentError } from "../core/errors.ts";

/** Whether `value` is an object literal and the like, not an instance of a class. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Throws `InvalidArgumentError` for an option of `owner` that is set and not among `known`. The message has the name
 * that is meant, where it can be told: the same in camel case, or one of `otherNames`.
 */
export function refuseUnknown(
  owner: string,
  options: object,
  known: readonly string[],
  otherNames: ReadonlyMap<string, string>,
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    const camelCase = name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    const meant = known.includes(camelCase) ? camelCase : otherNames.get(camelCase);
    const advice = meant === undefined ? `its options are ${known.join(", ")}` : `did you mean ${meant}?`;
    throw new InvalidArgumentError(`${owner} has no option ${name}: ${advice}`);
  }
}

/** `value` for a message: of an object only what it is. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? "an array" : "an object";
}
