/** The options that a manager gives its pools. */

import type { PoolManagerOptions, PoolOptions } from "../client/options.ts";
import { OPTION_RULES } from "../client/options-table.ts";
import { checkManagerOptions } from "../client/settings.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { isPlainObject } from "../core/options.ts";
import { show } from "../core/shown.ts";

/** Pool options as the manager keeps them: any name may be among them. */
export type PoolKwargs = PoolOptions & Record<string, unknown>;

/** Options that go over a manager's; `null` removes one. */
export type PoolOverrides = { [Name in keyof PoolOptions]: PoolOptions[Name] | null };

/** The two forms of the constructor's arguments in one, checked. */
export function managerOptions(
  first: number | PoolManagerOptions | null | undefined,
  second: PoolManagerOptions | null | undefined,
): PoolManagerOptions {
  const alone = typeof first === "object" && first !== null;
  if (!alone && first !== null && first !== undefined && !OPTION_RULES.numPools.fits(first)) {
    const advice = typeof first === "string" ? ". URLs are for request()" : "";
    throw new InvalidArgumentError(
      `PoolManager takes a number of pools (${OPTION_RULES.numPools.wanted}), or an object of options, not ${show(first)}${advice}`,
    );
  }
  const options = (alone ? first : second) ?? {};
  checkManagerOptions(options);
  return alone || first === undefined || first === null ? options : { ...options, numPools: first };
}

/** `override` over `base`; a value of `undefined` or `null` removes the default. */
export function mergePoolKwargs(base: PoolKwargs, override: PoolOverrides | null | undefined): PoolKwargs {
  const merged: PoolKwargs = { ...base };
  for (const [name, value] of Object.entries(override ?? {})) {
    if (value === undefined || value === null) delete merged[name];
    else merged[name] = value;
  }
  return merged;
}

/** A copy of `kw` whose plain objects and arrays are frozen copies too: they cannot change unseen. */
export function frozenValues(kw: PoolKwargs): PoolKwargs {
  const copy: PoolKwargs = { ...kw };
  for (const [name, value] of Object.entries(copy)) {
    if (Array.isArray(value)) copy[name] = Object.freeze([...value]);
    else if (isPlainObject(value)) copy[name] = Object.freeze({ ...value });
  }
  return copy;
}

/** Whether a value says the same in a key as long as it is the same one; what is no collection counts by identity. */
export function isStable(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return true;
  return !(Array.isArray(value) || isPlainObject(value) || Symbol.iterator in value || value instanceof Date);
}

/** A view of `target` that calls `onWrite` after each change made through it. Reads cost what a `Proxy` costs. */
export function watchWrites<T extends object>(target: T, onWrite: () => void): T {
  const noted = (done: boolean): boolean => {
    onWrite();
    return done;
  };
  return new Proxy(target, {
    set: (object, name, value) => noted(Reflect.set(object, name, value)),
    defineProperty: (object, name, descriptor) => noted(Reflect.defineProperty(object, name, descriptor)),
    deleteProperty: (object, name) => noted(Reflect.deleteProperty(object, name)),
  });
}
