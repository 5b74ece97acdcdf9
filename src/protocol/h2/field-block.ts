/** One received field block: a response head, or trailers. Immutable, so equal blocks share one object. */

import { HTTPHeaderDict } from "../../core/headers.ts";
import type { ResponseHead } from "../response-head.ts";

/** What was noted of a block while it was decoded. */
export interface BlockNotes {
  /** 0 where there is no `:status`. */
  readonly status: number;
  /** Field lines `name: value CRLF`, Latin-1. Names and values were checked: none can end a line early. */
  readonly text: string;
  /** Declared length of the body; -1 where there is none. */
  readonly contentLength: number;
  /** Whether there is a content-encoding. */
  readonly encoded: boolean;
  /** Whether there is any pseudo field. */
  readonly pseudo: boolean;
  /** Size of the list as RFC 9113 §6.5.2 counts it. */
  readonly size: number;
  /** Larger than the limit: nothing of it was kept. */
  readonly tooLarge: boolean;
  /** The first thing that makes the message malformed, in words without any value; `null` if it is well formed. */
  readonly problem: string | null;
}

/** A decoded block; as a response head it can be given on as it is. */
export class FieldBlock implements BlockNotes, ResponseHead {
  readonly status: number;
  readonly text: string;
  readonly contentLength: number;
  readonly encoded: boolean;
  readonly pseudo: boolean;
  readonly size: number;
  readonly tooLarge: boolean;
  readonly problem: string | null;
  /** HTTP/2 has no other. */
  readonly version: 20 = 20;
  /** HTTP/2 has none. */
  readonly reason: "" = "";

  constructor(notes: BlockNotes) {
    this.status = notes.status;
    this.text = notes.text;
    this.contentLength = notes.contentLength;
    this.encoded = notes.encoded;
    this.pseudo = notes.pseudo;
    this.size = notes.size;
    this.tooLarge = notes.tooLarge;
    this.problem = notes.problem;
  }

  /** The fields without the pseudo ones; a new dict at every call. */
  fields(): HTTPHeaderDict {
    return HTTPHeaderDict.fromHead(this.text, 0);
  }

  toString(): string {
    return this.status === 0 ? this.text : `:status: ${this.status}\r\n${this.text}`;
  }
}
