/** What a request body is on its way to the wire. */

/** A part of more bytes than this has left the process when the next one is asked for: its memory is its source's again. */
export const LARGE_PART = 65_536;

/** A part of a streamed body. */
export type BodyPart = string | Uint8Array | ArrayBuffer;

/** A body ready to be sent. */
export interface Payload {
  /** The whole body, where it is in memory. */
  readonly bytes: Uint8Array | null;
  /** In bytes; `undefined` where it is not known. */
  readonly length: number | undefined;
  /** The Content-Type it implies, unless the caller gives one. */
  readonly contentType: string | null;
  /** Whether it can be opened: not yet done, or it can be done again. */
  readonly replayable: boolean;
  /** The body from its start. Throws `UnrewindableBodyError` if it was opened before and cannot be again. */
  open(): AsyncIterable<BodyPart> | Iterable<BodyPart>;
  /** Finds out the length where that takes time: to be awaited before anything else. Rejects if it cannot be sent. */
  measure?(): Promise<void>;
  /** Closes what it would be read from, if it was never opened and never will be. */
  discard?(): void;
  /** `onFailure` is told, in place of who was before, when what it will be read from fails though nobody reads it yet. */
  watch?(onFailure: (error: unknown) => void): void;
}
