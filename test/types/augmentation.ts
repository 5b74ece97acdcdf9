/** Compiled with the tests, never run: how a user declares a pool field of one's own. */

import { HTTPPoolKey, PoolManager } from "urlpool";

declare module "urlpool" {
  interface PoolOptions {
    myField?: string;
  }
}

/** A manager with the field in its pool keys. */
export function makeManager(): PoolManager {
  const manager = new PoolManager(10, { myField: "wheat", maxsize: 2 });
  manager.connectionPoolKw.myField = "barley";
  manager.connectionFromHost("example.com", 80, "http", { myField: "rye" });
  // @ts-expect-error: the declared type holds.
  new PoolManager({ myField: 5 });
  // @ts-expect-error: a typo is found.
  new PoolManager({ maxsise: 2 });
  // @ts-expect-error: what belongs to a request is no pool option.
  new PoolManager({ body: "x" });
  return HTTPPoolKey.extend("myField").fields.includes("myField") ? manager : new PoolManager();
}
