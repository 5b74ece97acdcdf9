/** Plain objects whose owner learns of every write: `manager.connectionPoolKw.x = y` must count at once. */

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
