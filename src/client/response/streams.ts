/** A body as the platform's streams: a web stream of bytes, and a Node `Readable`. */

import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";

/** A stream of bytes, to Node and to the DOM's types, where the program has those: `new Response(response.body)`. */
export type WebStream = ReadableStream<Uint8Array> & (typeof globalThis)["ReadableStream"]["prototype"];

/** What the streams are made over. */
export interface ReadableBody {
  /** At most `amount` bytes; empty at the end. */
  read1(amount: number): Promise<Buffer>;
  close(): void;
}

/** What a stream for BYOB readers is made over. */
export interface WritableInto extends ReadableBody {
  /** What is there or comes next, into `view` as far as it fits; gives the number of bytes, 0 at the end. */
  readInto(view: Buffer): Promise<number>;
}

/** Read at once where the reader names no amount. */
const STEP = 65_536;

/** A byte stream; a BYOB reader's view is written to. Cancelling it closes the body. `spent`: all that it gives. */
export function webStream(body: WritableInto, spent: Error | null): WebStream {
  return new ReadableStream({
    type: "bytes",
    start: (controller) => {
      if (spent !== null) controller.error(spent);
    },
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view as Uint8Array | null | undefined;
      if (request && view) {
        const length = await body.readInto(Buffer.from(view.buffer, view.byteOffset, view.byteLength));
        if (length === 0) controller.close();
        request.respond(length);
        return;
      }
      const bytes = await body.read1(STEP);
      if (bytes.length === 0) controller.close();
      else controller.enqueue(new Uint8Array(bytes));
    },
    cancel: () => body.close(),
  });
}

/** A Node stream; destroying it closes the body. `spent`: all that it gives. */
export function nodeStream(body: ReadableBody, spent: Error | null): Readable {
  return new Readable({
    read(size) {
      if (spent !== null) this.destroy(spent);
      else
        body.read1(Math.max(size, STEP)).then(
          (bytes) => this.push(bytes.length === 0 ? null : bytes),
          (error) => this.destroy(error as Error),
        );
    },
    destroy(error, callback) {
      body.close();
      callback(error);
    },
  });
}
