/**
 * Memory for bodies that are read in place, and what glibc is to know of it.
 *
 * glibc maps each block of 128 KiB or more anew, and what it frees goes back to the kernel: a page fault for every 4 KiB
 * of every body. That ends when it frees one larger mapped block: blocks up to that size then come from memory that it
 * keeps, up to twice the size (mallopt(3), M_MMAP_THRESHOLD). Some processes come there by chance, others never. So
 * the first large body has a block freed that was never touched: the kernel gave no page for it.
 */

/** From this size on blocks are mapped. */
export const LARGE = 131_072;

/** The largest block that glibc learns from, 32 MiB, less room for its header. */
const LESSON = 33_488_896;

/** Has `free` called with `LESSON` before the first large block, and never again; never where glibc is not. */
export function teacher(platform: NodeJS.Platform, free: (size: number) => void): (size: number) => void {
  let taught = platform !== "linux";
  return (size) => {
    if (taught || size < LARGE) return;
    taught = true;
    free(LESSON);
  };
}

/** A body of `size` bytes is about to come into memory. */
export const expectBody: (size: number) => void = teacher(process.platform, (size) => {
  Buffer.allocUnsafeSlow(size);
});
