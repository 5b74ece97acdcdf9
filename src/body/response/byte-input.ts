/**
 * Bytes that come in pieces, for readers written as generators: where bytes are missing a reader yields `null`, and
 * goes on when it is resumed after `push` or `end`.
 */

/** The data ended where more of it had to come. */
export class TruncatedError extends Error {
  override readonly name: string = "TruncatedError";

  constructor() {
    super("unexpected end of data");
  }
}

/** A reader's wait for more bytes. */
export type Wait = Generator<null, void, void>;

const EMPTY = Buffer.alloc(0);

/** The queue between the one who brings bytes and the one who reads them. */
export class ByteInput {
  readonly #pieces: Buffer[] = [];
  #ended = false;

  /** Whether no byte waits to be read. */
  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Whether no more bytes will come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes for the end of the queue; kept by reference. */
  push(bytes: Buffer): void {
    if (bytes.length > 0) this.#pieces.push(bytes);
  }

  /** No more bytes will come. */
  end(): void {
    this.#ended = true;
  }

  /** Puts back bytes that were read last. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#pieces.unshift(bytes);
  }

  /** The next piece, whatever its length; `null` at the end. */
  *some(): Generator<null, Buffer | null, void> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) return piece;
      if (this.#ended) return null;
      yield null;
    }
  }

  /** The next `length` bytes. Throws `TruncatedError` if there are fewer. */
  *take(length: number): Generator<null, Buffer, void> {
    const bytes = yield* this.upTo(length);
    if (bytes.length < length) throw new TruncatedError();
    return bytes;
  }

  /** The next `length` bytes, or fewer at the end. Meant for short headers. */
  *upTo(length: number): Generator<null, Buffer, void> {
    let taken: Buffer = EMPTY;
    while (taken.length < length) {
      const piece = yield* this.some();
      if (piece === null) break;
      const wanted = length - taken.length;
      this.unread(piece.subarray(wanted));
      taken =
        taken.length === 0 ? piece.subarray(0, wanted) : Buffer.concat([taken, piece.subarray(0, wanted)]);
    }
    return taken;
  }

  /** Reads up to and including the next zero byte. Throws `TruncatedError` if there is none. */
  *skipPastZero(): Wait {
    for (;;) {
      const piece = yield* this.some();
      if (piece === null) throw new TruncatedError();
      const zero = piece.indexOf(0);
      if (zero === -1) continue;
      this.unread(piece.subarray(zero + 1));
      return;
    }
  }
}
