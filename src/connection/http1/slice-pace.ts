/**
 * How large the slices of a large part are. Only a slice that the server has taken shows that the upload moves, and each costs a
 * system call and a turn of the event loop: 128 KiB at a time take more than twice the CPU time of one large write. So slices
 * grow with what the server was seen to take, and none hides its silence for long.
 */

import { SLICE } from "../upload-source.ts";

const LARGEST = 4_194_304;

/** A slice that took longer, in ms, was too large. */
const SOON = 50;

/** The socket's own memory takes the first megabytes at once, whatever the server does: no slice is more than this part of all. */
const SHARE = 8;

/** The slices of one upload. */
export class SlicePace {
  /** Of the next slice, in bytes. */
  size: number = SLICE;
  #taken = 0;

  /** The socket needed `took` ms for `bytes`. */
  onTaken(bytes: number, took: number): void {
    this.#taken += bytes;
    if (took > SOON) this.size = SLICE;
    else if (this.size < LARGEST && 2 * this.size * SHARE <= this.#taken) this.size *= 2;
  }
}
