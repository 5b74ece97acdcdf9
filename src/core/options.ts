/** What the checks of all options have in common. */

import { InvalidArgumentError } from "./errors.ts";
import { show } from "./shown.ts";
import { closest } from "./spelling.ts";

/** Whether `value` is an object literal and the like, of whatever realm; not an instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Throws `InvalidArgumentError` unless `options` are an object. */
export function checkOptionsObject(options: unknown, whose: string): asserts options is object {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new InvalidArgumentError(`The options of ${whose} must be an object, not ${show(options)}`);
}

/**
 * Throws `InvalidArgumentError` for an option of `owner` that is set and not among `known`. The message has the name
 * that is meant, where it can be told: one of `otherNames`, or one that is spelt nearly so.
 */
export function refuseUnknown(
  owner: string,
  options: object,
  known: readonly string[],
  otherNames: ReadonlyMap<string, string> = NO_OTHERS,
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    const camelCase = name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    const meant = otherNames.get(camelCase) ?? closest(name, known);
    const advice = meant === undefined ? `its options are ${known.join(", ")}` : `did you mean ${meant}?`;
    throw new InvalidArgumentError(`${owner} has no option ${name}: ${advice}`);
  }
}

const NO_OTHERS: ReadonlyMap<string, string> = new Map();
