/** Sends a streamed request body over one HTTP/2 stream, as fast as its windows and the socket take it. */

import { sourceError } from "../../body/request/sources.ts";
import type { RequestBodyError } from "../../core/errors.ts";
import { type BodyStream, UploadSource } from "../upload-source.ts";

/** Where the body goes. */
export interface UploadTarget {
  /** Octets that were given and have not gone out. */
  readonly queued: number;
  /** Gives a part; `null` with `last`: nothing more. */
  give(part: Buffer | null, last: boolean): void;
  onUploadFailed(error: RequestBodyError): void;
}

/** Octets that may wait before the source has to, and how few of them let it go on. */
const HIGH_WATER = 262_144;
const LOW_WATER = 65_536;

/** Parts, however small, that are taken before the source has to wait: it must leave others their turn. */
const MOST_PARTS = 1000;

/** One upload. */
export class Http2Upload {
  readonly #target: UploadTarget;
  #source: UploadSource | null = null;
  #stopped = false;
  #pulling = false;
  /** Parts given since something went out. */
  #parts = 0;
  #wake: (() => void) | null = null;

  constructor(target: UploadTarget) {
    this.#target = target;
  }

  /** Whether the server has taken all that the source gave, and the rest is yet to come. */
  get awaitsSource(): boolean {
    return this.#pulling && this.#target.queued === 0;
  }

  /** Sends until the source ends, `stop` is called, or something fails. Never rejects. */
  async run(stream: BodyStream): Promise<void> {
    try {
      this.#source = new UploadSource(stream, (error) => this.#fail(error));
      await this.#sendParts(this.#source);
      if (this.#stopped) return;
      this.#stopped = true;
      this.#target.give(null, true);
    } catch (error) {
      this.#fail(sourceError(error));
    }
  }

  /** Some of what was given has gone out. */
  onSent(): void {
    this.#parts = 0;
    if (this.#wake === null || this.#target.queued > LOW_WATER) return;
    const wake = this.#wake;
    this.#wake = null;
    wake();
  }

  /** Nobody wants the rest: the source is told, what it says is not heard any more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#source?.close();
    this.#wake?.();
  }

  async #sendParts(source: UploadSource): Promise<void> {
    for (;;) {
      const bytes = source.takeRest() ?? source.accept(await this.#pull(source));
      if (bytes === null || this.#stopped) return;
      if (bytes.length > 0) this.#target.give(bytes, false);
      if (this.#target.queued > HIGH_WATER || ++this.#parts === MOST_PARTS) await this.#room();
      if (this.#stopped) return;
    }
  }

  async #pull(source: UploadSource): Promise<Awaited<ReturnType<UploadSource["pull"]>>> {
    this.#pulling = true;
    const pulled = await source.pull();
    this.#pulling = false;
    return pulled;
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #fail(error: RequestBodyError): void {
    if (this.#stopped) return;
    this.stop();
    this.#target.onUploadFailed(error);
  }
}
