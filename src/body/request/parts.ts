/** The parts of a form, sent one after the other without being joined in memory. */

import { ignore } from "../../core/ignore.ts";
import type { BodyPart, Payload } from "./payload.ts";
import { readerOf, type SourceReader } from "./sources.ts";

/** Up to this size joining the parts of a form is cheaper than sending them one by one, in bytes. */
const JOIN_LIMIT = 65_536;

/** A part of a form. */
export type FormPart = Buffer | Payload;

/** A body made of parts that are sent one after the other without being joined in memory. */
export class PartsPayload implements Payload {
  readonly contentType: string;
  readonly #parts: readonly FormPart[];
  #joined: Buffer | null = null;
  #opened = false;
  #onFailure: (error: unknown) => void = ignore;

  constructor(parts: readonly FormPart[], contentType: string) {
    this.#parts = parts;
    this.contentType = contentType;
  }

  get bytes(): Buffer | null {
    const inMemory = this.#parts.every((part) => Buffer.isBuffer(part));
    if (inMemory && this.length! <= JOIN_LIMIT) this.#joined ??= Buffer.concat(this.#parts as Buffer[]);
    return this.#joined;
  }

  get length(): number | undefined {
    let sum = 0;
    for (const { length } of this.#parts) {
      if (length === undefined) return undefined;
      sum += length;
    }
    return sum;
  }

  get replayable(): boolean {
    return this.#payloads.every((part) => part.replayable);
  }

  /** Whether a part has to be measured first. */
  get measurable(): boolean {
    return this.#payloads.some((part) => part.measure !== undefined);
  }

  async measure(): Promise<void> {
    await Promise.all(this.#payloads.map((part) => part.measure?.()));
  }

  open(): AsyncIterable<BodyPart> {
    this.#opened = true;
    return new PartsReader(this.#parts, (error) => this.#onFailure(error));
  }

  watch(onFailure: (error: unknown) => void): void {
    this.#onFailure = onFailure;
    for (const part of this.#payloads) part.watch?.(onFailure);
  }

  discard(): void {
    if (!this.#opened) discardAll(this.#payloads);
  }

  get #payloads(): Payload[] {
    return this.#parts.filter(isPayload);
  }
}

/** Reads one part after the other. Broken off, it closes the one that is being read at once, and those still to come. */
class PartsReader implements AsyncIterableIterator<BodyPart> {
  readonly #parts: readonly FormPart[];
  readonly #onFailure: (error: unknown) => void;
  #at = 0;
  #reader: SourceReader | null = null;

  /** `onFailure` is told of what the part that is being read fails with, also while nobody asks for its next bytes. */
  constructor(parts: readonly FormPart[], onFailure: (error: unknown) => void) {
    this.#parts = parts;
    this.#onFailure = onFailure;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<BodyPart, undefined>> {
    for (;;) {
      if (this.#reader !== null) {
        const { done, value } = await this.#reader.next();
        if (done !== true) return { done: false, value };
        this.#reader = null;
      }
      const part = this.#parts[this.#at++];
      if (part === undefined) return { done: true, value: undefined };
      if (Buffer.isBuffer(part)) return { done: false, value: part };
      this.#read(part);
    }
  }

  #read(part: Payload): void {
    const reader = readerOf(part.open(), (error) => {
      if (this.#reader === reader) this.#onFailure(error);
    });
    this.#reader = reader;
  }

  async return(): Promise<IteratorResult<BodyPart, undefined>> {
    const reader = this.#reader;
    this.#reader = null;
    reader?.return?.();
    // Each part knows whether it was opened.
    discardAll(this.#parts.slice(this.#at).filter(isPayload));
    this.#at = this.#parts.length;
    return { done: true, value: undefined };
  }
}

function isPayload(part: FormPart): part is Payload {
  return !Buffer.isBuffer(part);
}

function discardAll(payloads: readonly Payload[]): void {
  for (const payload of payloads) payload.discard?.();
}
