/** The open streams of a connection by their ids, and which of the closed ones we have reset ourselves. */

import { REMEMBERED_RESETS } from "./limits.ts";
import type { H2Stream } from "./stream.ts";

const FIRST_SLOTS = 64;

/** Streams in a ring by their number. */
export class StreamTable {
  /** Open streams. */
  count: number = 0;
  /** The last id that was given away; 0 for none. */
  lastId: number = 0;
  #slots: (H2Stream | null)[] = new Array<H2Stream | null>(FIRST_SLOTS).fill(null);
  #mask = FIRST_SLOTS - 1;
  readonly #resets = new Set<number>();

  /** The open stream `id`. */
  get(id: number): H2Stream | null {
    const stream = this.#slots[(id >>> 1) & this.#mask]!;
    return stream !== null && stream.id === id ? stream : null;
  }

  /** Gives `stream` the next id. One whose slot a long-lived stream holds is left out, which is allowed (§5.1.1). */
  add(stream: H2Stream): void {
    if (2 * this.count >= this.#slots.length) this.#grow();
    let id = this.lastId === 0 ? 1 : this.lastId + 2;
    while (this.#slots[(id >>> 1) & this.#mask] !== null) id += 2;
    stream.id = this.lastId = id;
    this.#slots[(id >>> 1) & this.#mask] = stream;
    this.count++;
  }

  remove(stream: H2Stream): void {
    this.#slots[(stream.id >>> 1) & this.#mask] = null;
    this.count--;
  }

  /** The open streams in the order of their ids, as they are now. */
  list(): H2Stream[] {
    const open = this.#slots.filter((stream) => stream !== null);
    return open.sort((one, other) => one.id - other.id);
  }

  /** Frames for this stream that come later are late, not wrong. */
  rememberReset(id: number): void {
    if (this.#resets.size === REMEMBERED_RESETS) {
      for (const oldest of this.#resets) {
        this.#resets.delete(oldest);
        break;
      }
    }
    this.#resets.add(id);
  }

  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }

  #grow(): void {
    const open = this.list();
    const size = 2 * this.#slots.length;
    this.#slots = new Array<H2Stream | null>(size).fill(null);
    this.#mask = size - 1;
    for (const stream of open) this.#slots[(stream.id >>> 1) & this.#mask] = stream;
  }
}
