/** Things to be taken in the order of their times. */

interface Entry<T> {
  readonly item: T;
  readonly at: number;
}

/** A binary heap. */
export class TimeHeap<T> {
  readonly #entries: Entry<T>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** The earliest time; `null` if it is empty. */
  nextTime(): number | null {
    return this.#entries[0]?.at ?? null;
  }

  push(item: T, at: number): void {
    const entries = this.#entries;
    let index = entries.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (entries[parent]!.at <= at) break;
      entries[index] = entries[parent]!;
      index = parent;
    }
    entries[index] = { item, at };
  }

  /** The one with the earliest time. */
  pop(): T | undefined {
    const first = this.#entries[0];
    const last = this.#entries.pop();
    if (last !== undefined && this.#entries.length > 0) this.#sink(last);
    return first?.item;
  }

  /** Puts an entry in the empty place at the top. */
  #sink(entry: Entry<T>): void {
    const entries = this.#entries;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && entries[child + 1]!.at < entries[child]!.at) child += 1;
      if (entries[child]!.at >= entry.at) break;
      entries[index] = entries[child]!;
      index = child;
    }
    entries[index] = entry;
  }
}
