/** A body as the platform's streams: a web stream of bytes, and a Node `Readable`. */

import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { addPlace, placeOf } from "../failure.ts";

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

/**
 * A byte stream; a BYOB reader's view is written to. Cancelling it closes the body. `spent`: all that it gives. The frames of
 * who reads it cannot be known: an error has those of who asked for the stream.
 */
export function webStream(body: WritableInto, spent: Error | null): WebStream {
  const place = placeOf(webStream);
  const failed = (error: unknown): never => {
    addPlace(error, place);
    throw error;
  };
  return new ReadableStream({
    type: "bytes",
    start: (controller) => {
      addPlace(spent, place);
      if (spent !== null) controller.error(spent);
    },
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view as Uint8Array | null | undefined;
      if (request && view) {
        const memory = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
        const length = await body.readInto(memory).catch(failed);
        if (length === 0) controller.close();
        request.respond(length);
        return;
      }
      const bytes = await body.read1(STEP).catch(failed);
      if (bytes.length === 0) controller.close();
      else controller.enqueue(new Uint8Array(bytes));
    },
    cancel: () => body.close(),
  });
}

/** A Node stream; destroying it closes the body. `spent`: all that it gives. Errors have the frames that {@link webStream}'s have. */
export function nodeStream(body: ReadableBody, spent: Error | null): Readable {
  const place = placeOf(nodeStream);
  return new Readable({
    read(size) {
      const fail = (error: Error): void => {
        addPlace(error, place);
        this.destroy(error);
      };
      if (spent !== null) fail(spent);
      else
        body.read1(Math.max(size, STEP)).then((bytes) => this.push(bytes.length === 0 ? null : bytes), fail);
    },
    destroy(error, callback) {
      body.close();
      callback(error);
    },
  });
}
