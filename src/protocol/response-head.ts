/** A response head as data, and sections of field lines that are read only when somebody asks for them. */

import { HTTPHeaderDict } from "../core/headers.ts";

/** A response head; it never changes. */
export interface ResponseHead {
  readonly status: number;
  /** 10, 11 or 20. */
  readonly version: number;
  /** Reason phrase; empty where there is none. */
  readonly reason: string;
  /** Whether it has a Content-Encoding field. */
  readonly encoded: boolean;
  /** The fields, in the order and spelling in which they came; read anew by each call. */
  fields(): HTTPHeaderDict;
  /** The head as text, a line for each field; for eyes and archives. */
  toString(): string;
}

/** Validated Latin-1 text of field lines, each `name: value CRLF`; obs-fold may still be in it (RFC 9112 §5.2). */
export class FieldLines {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Names and values; read anew by each call. */
  read(): HTTPHeaderDict {
    return HTTPHeaderDict.fromHead(this.text, 0);
  }
}

/** A head of which the text was validated; its fields wait in it. */
export class ReceivedHead implements ResponseHead {
  readonly status: number;
  readonly version: number;
  readonly encoded: boolean;
  readonly reason: string;
  readonly #text: string;
  readonly #fieldsStart: number;

  /** `text` is Latin-1; a status line of HTTP/1 ends at `fieldsStart`, where the field lines begin. */
  constructor(status: number, version: number, encoded: boolean, text: string, fieldsStart: number) {
    this.status = status;
    this.version = version;
    this.encoded = encoded;
    this.#text = text;
    this.#fieldsStart = fieldsStart;
    // At once: a head that a server repeats is made once.
    this.reason = fieldsStart > 15 ? text.slice(13, fieldsStart - 2) : "";
  }

  fields(): HTTPHeaderDict {
    return HTTPHeaderDict.fromHead(this.#text, this.#fieldsStart);
  }

  toString(): string {
    return this.#fieldsStart === 0 ? `:status: ${this.status}\r\n${this.#text}` : this.#text;
  }
}
