/** What a peer did against the rules, and how far that reaches (RFC 9113 §5.4). */

/** A connection error ends everything, a stream error one stream. */
export type ViolationScope = "connection" | "stream";

/** A rule of HTTP/2 was broken; the floor above makes the user's error of it. */
export class Violation extends Error {
  override readonly name: string = "Violation";
  readonly scope: ViolationScope;
  /** Error code of RFC 9113 §7, as it goes out in GOAWAY or RST_STREAM. */
  readonly code: number;
  /** Stream, 0 for the connection. */
  readonly id: number;

  constructor(scope: ViolationScope, code: number, id: number, text: string) {
    super(text);
    this.scope = scope;
    this.code = code;
    this.id = id;
  }
}

/** Throws a connection error. */
export function refuseConnection(code: number, text: string): never {
  throw new Violation("connection", code, 0, text);
}

/** Throws a stream error. */
export function refuseStream(code: number, id: number, text: string): never {
  throw new Violation("stream", code, id, text);
}
