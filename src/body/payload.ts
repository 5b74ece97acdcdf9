/** What a request body is on its way to the wire. */

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
  /** Whether it can be opened again. */
  readonly replayable: boolean;
  /** The body from its start. Throws `UnrewindableBodyError` if it was opened before and cannot be again. */
  open(): AsyncIterable<BodyPart> | Iterable<BodyPart>;
}
