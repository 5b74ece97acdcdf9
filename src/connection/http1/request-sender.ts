/**
 * Writes one request after another: head and small body with one system call, a large or streamed body as the socket takes
 * it, or once the server says 100 (RFC 9110 §10.1.1).
 */

import type { Socket } from "node:net";
import type { HTTPError } from "../../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../../core/timers.ts";
import { encodeChunked, writeHead } from "../../protocol/h1/request-writer.ts";
import type { Exchange } from "../connection.ts";
import type { BodyStream } from "../upload-source.ts";
import { Upload, type UploadObserver } from "./upload.ts";

/** A larger body in memory is sent like a streamed one: its progress counts against the read timeout. In bytes. */
const LARGEST_WHOLE_WRITE = 262_144;

/** How long a body waits for 100 (Continue), in ms. */
const CONTINUE_PATIENCE = 1000;

/** What a request is doing on the wire. */
export type SendState = "idle" | "awaiting" | "sending";

/** Who is told how it goes. */
export interface SendOwner {
  /** Told before anything is written in that state. */
  sendState(state: SendState): void;
  /** A part of a body was taken. */
  onPart(): void;
  /** All of a streamed body was given to the socket. */
  onUploaded(): void;
  onUploadFailed(error: HTTPError): void;
}

/** The writing side of a connection. */
export class RequestSender implements UploadObserver {
  /** Bytes of the request given to the socket. */
  bytesWritten: number = 0;
  readonly #socket: Socket;
  readonly #timers: CoarseTimers;
  readonly #owner: SendOwner;
  #exchange: Exchange | null = null;
  #headLength = 0;
  #patience: TimerEntry | null = null;
  #upload: Upload | null = null;

  constructor(socket: Socket, timers: CoarseTimers, owner: SendOwner) {
    this.#socket = socket;
    this.#timers = timers;
    this.#owner = owner;
  }

  /** Whether the server has taken all there is of a body, and its source has yet to give the rest. */
  get awaitsSource(): boolean {
    return this.#upload?.awaitsSource ?? false;
  }

  /** Whether a body is under way. */
  get uploading(): boolean {
    return this.#upload !== null;
  }

  send(exchange: Exchange): void {
    const head = writeHead(exchange.head);
    this.#exchange = exchange;
    this.#headLength = this.bytesWritten = head.length;
    this.#owner.sendState("idle");
    if (exchange.body === null) {
      this.#socket.write(head, "latin1");
      return;
    }
    // One system call for head and body; and over a stream in memory the answer comes during the write.
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    if (exchange.expectContinue) this.#awaitContinue();
    else this.#sendBody(exchange);
    this.#socket.uncork();
  }

  /** The server wants the body, or has said nothing for long enough. */
  proceed(): void {
    if (!this.#patience?.armed) return;
    this.#patience.disarm();
    this.#sendBody(this.#exchange!);
  }

  /** The final answer came instead of 100: the body stays here. */
  dropBody(): void {
    this.#patience?.disarm();
    this.#owner.sendState("idle");
  }

  /** Nobody hears of this request any more; what is under way of its body goes on. */
  release(): void {
    this.#exchange = null;
  }

  /** The connection is gone. */
  stop(): void {
    this.#exchange = null;
    this.#patience?.disarm();
    this.#upload?.stop();
  }

  // UploadObserver

  onSent(sent: number): void {
    this.bytesWritten = this.#headLength + sent;
    this.#owner.onPart();
    this.#exchange?.onSent(sent, false);
  }

  onUploaded(): void {
    this.#upload = null;
    const exchange = this.#exchange;
    this.#owner.onUploaded();
    exchange?.onSent(this.bytesWritten - this.#headLength, true);
  }

  onUploadFailed(error: HTTPError): void {
    this.#upload = null;
    this.#owner.onUploadFailed(error);
  }

  #sendBody(exchange: Exchange): void {
    const chunked = exchange.head.framing === "chunked";
    const body = exchange.body!;
    if (!(body instanceof Uint8Array)) this.#stream(body, chunked);
    else if (body.length > LARGEST_WHOLE_WRITE) {
      this.#stream({ length: body.length, open: () => [body] }, chunked);
    } else {
      this.#owner.sendState("idle");
      this.bytesWritten += body.length;
      this.#socket.write(chunked ? encodeChunked(body) : body);
      exchange.onSent(body.length, true);
    }
  }

  #stream(body: BodyStream, chunked: boolean): void {
    this.#owner.sendState("sending");
    this.#upload = new Upload(this.#socket, body, chunked, this, this.#timers.clock);
    void this.#upload.run();
  }

  #awaitContinue(): void {
    this.#owner.sendState("awaiting");
    this.#patience = new TimerEntry(() => this.#patienceOver());
    this.#timers.arm(this.#patience, CONTINUE_PATIENCE);
  }

  #patienceOver(): void {
    if (this.#exchange !== null) this.#sendBody(this.#exchange);
  }
}
