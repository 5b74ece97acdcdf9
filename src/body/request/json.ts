/** The option `json`: a value as its JSON. */

import { InvalidArgumentError } from "../../core/errors.ts";
import { kindOf } from "../../core/shown.ts";

/**
 * `value` as JSON. Throws `InvalidArgumentError` for what has none: a function, a BigInt, a circle; and for objects whose
 * content JSON does not show, such as a promise, a `Map` or a form: `{}` is never what is meant.
 */
export function jsonText(value: unknown): string {
  const text = stringify(value);
  if (text === undefined || (text === "{}" && isOpaque(value))) {
    throw new InvalidArgumentError(
      `'json' must be a value that JSON can express, not ${kindOf(value)}${adviceFor(value)}`,
    );
  }
  return text;
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) as string | undefined;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidArgumentError(`'json' must be a value that JSON can express: ${why}`, { cause });
  }
}

/** Whether `value` is an instance of a class of the language or the platform, and has no JSON of its own. */
function isOpaque(value: unknown): boolean {
  return Object.prototype.toString.call(value) !== "[object Object]";
}

function adviceFor(value: unknown): string {
  if (value instanceof Promise) return ": await it first";
  if (value instanceof Map) return ": give Object.fromEntries() of it";
  return value instanceof Set ? ": give an array of its values" : "";
}
