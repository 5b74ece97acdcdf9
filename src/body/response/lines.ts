/**
 * Lines, and JSON texts one a line, out of a body that comes in pieces cut anywhere. Without I/O: bytes in, records out.
 */

import { ProtocolError } from "../../core/errors.ts";
import { ByteQueue } from "./byte-queue.ts";

/** What takes bytes and gives the records that they complete. */
export interface RecordParser<T> {
  /** The records that `bytes` complete. Throws `ProtocolError` where one is too large. */
  push(bytes: Buffer): T[];
  /** No more bytes come: the last record, if it counts without its end. */
  end(): T[];
}

/** Longest line that is kept by default, in bytes. */
export const MAX_LINE = 16_777_216;

const LF = 10;
const CR = 13;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const EMPTY = Buffer.alloc(0);

/** Cuts bytes into lines. A BOM at the very beginning is left out. */
export class LineSplitter {
  readonly #maxSize: number;
  readonly #bareCr: boolean;
  /** The beginning of a line whose end has not come. */
  readonly #held: ByteQueue = new ByteQueue();
  /** The last line ended with CR: a LF right after it belongs to that end. */
  #afterCr = false;
  #first = true;

  /** `maxSize`: most bytes of a line. `bareCr`: whether CR alone ends a line, as LF and CRLF do. */
  constructor(maxSize: number, bareCr: boolean) {
    this.#maxSize = maxSize;
    this.#bareCr = bareCr;
  }

  /** Bytes of the line that has begun. */
  get pending(): number {
    return this.#held.length;
  }

  /** The lines that `bytes` complete, without their ends. Throws `ProtocolError` for one that is too long. */
  push(bytes: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = this.#skipLf(bytes);
    let lf = bytes.indexOf(LF, start);
    for (;;) {
      if (lf !== -1 && lf < start) lf = bytes.indexOf(LF, start);
      const end = this.#bareCr ? firstEnd(bytes, start, lf) : lf;
      if (end === -1) break;
      lines.push(this.#complete(bytes.subarray(start, end)));
      start = end + 1;
      if (bytes[end] !== CR) continue;
      this.#afterCr = true;
      start += this.#skipLf(bytes.subarray(start));
    }
    if (start < bytes.length) this.#hold(bytes.subarray(start));
    return lines;
  }

  /** What came after the last line end; `null` if that is nothing. */
  end(): Buffer | null {
    return this.#held.length === 0 ? null : this.#complete(EMPTY);
  }

  /** 1 if `bytes` begin with the second half of a CRLF. */
  #skipLf(bytes: Buffer): number {
    if (!this.#afterCr || bytes.length === 0) return 0;
    this.#afterCr = false;
    return bytes[0] === LF ? 1 : 0;
  }

  #hold(bytes: Buffer): void {
    this.#held.put(bytes);
    if (this.#held.length > this.#maxSize) throw tooLong(this.#maxSize);
  }

  #complete(end: Buffer): Buffer {
    if (this.#held.length + end.length > this.#maxSize) throw tooLong(this.#maxSize);
    let line = this.#held.length === 0 ? end : Buffer.concat([this.#held.getAll(), end]);
    if (this.#first && line.subarray(0, 3).equals(BOM)) line = line.subarray(3);
    this.#first = false;
    return line;
  }
}

/** Where the first CR stands before `lf`, else `lf`. */
function firstEnd(bytes: Buffer, start: number, lf: number): number {
  const cr = bytes.subarray(start, lf === -1 ? bytes.length : lf).indexOf(CR);
  return cr === -1 ? lf : start + cr;
}

/** Lines of UTF-8 text; LF, CRLF and CR end one, the end of the text too. */
export class LineParser implements RecordParser<string> {
  readonly #splitter: LineSplitter;

  /** `maxSize`: most bytes of a line. */
  constructor(maxSize: number = MAX_LINE) {
    this.#splitter = new LineSplitter(maxSize, true);
  }

  push(bytes: Buffer): string[] {
    return this.#splitter.push(bytes).map(textOf);
  }

  end(): string[] {
    const last = this.#splitter.end();
    return last === null ? [] : [textOf(last)];
  }
}

/**
 * JSON texts one a line (NDJSON, JSON Lines); blank lines are skipped, the record separator of RFC 7464 is allowed. What is no
 * JSON throws a `SyntaxError` that names the line.
 */
export class JsonLineParser implements RecordParser<unknown> {
  readonly #splitter: LineSplitter;
  #number = 0;

  /** `maxSize`: most bytes of a line. */
  constructor(maxSize: number = MAX_LINE) {
    this.#splitter = new LineSplitter(maxSize, false);
  }

  push(bytes: Buffer): unknown[] {
    return this.#parse(this.#splitter.push(bytes));
  }

  end(): unknown[] {
    const last = this.#splitter.end();
    return last === null ? [] : this.#parse([last]);
  }

  #parse(lines: readonly Buffer[]): unknown[] {
    const records: unknown[] = [];
    for (const line of lines) {
      this.#number++;
      const text = textOf(line[0] === 0x1e ? line.subarray(1) : line).trim();
      if (text !== "") records.push(this.#parseLine(text));
    }
    return records;
  }

  #parseLine(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new SyntaxError(`Line ${this.#number} of the body is no JSON`, { cause });
    }
  }
}

/** UTF-8 text of `bytes`; what is none becomes U+FFFD. */
export function textOf(bytes: Buffer): string {
  return bytes.toString("utf8");
}

function tooLong(maxSize: number): ProtocolError {
  return new ProtocolError(`A line of the body is longer than ${maxSize} bytes (maxSize)`, { phase: "body" });
}
