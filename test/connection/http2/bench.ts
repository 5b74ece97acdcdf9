/** One HTTP/2 connection on a wire in memory: its server in the test's hands, everything it reports written down in order. */

import type { ConnectionOwner, Exchange, Stream } from "../../../src/connection/connection.ts";
import { Http2Connection } from "../../../src/connection/http2/connection.ts";
import type { Http2Settings } from "../../../src/connection/http2/settings.ts";
import { SocketReader } from "../../../src/connection/reader.ts";
import type { HTTPError } from "../../../src/core/errors.ts";
import { type HeaderSource, HTTPHeaderDict } from "../../../src/core/headers.ts";
import { CoarseTimers } from "../../../src/core/timers.ts";
import { RequestHead, type RequestHeadInit } from "../../../src/protocol/request-head.ts";
import type { FieldLines, ResponseHead } from "../../../src/protocol/response-head.ts";
import { settle, VirtualClock } from "../../kit/clock.ts";
import * as h2 from "../../kit/h2-frames.ts";
import { asSocket, type Wire, type WirePairOptions, wirePair } from "../../kit/wire.ts";

/** A request with its answer, as a test sees it. */
export class Sent implements Exchange {
  readonly log: string[] = [];
  body: Exchange["body"] = null;
  expectContinue = false;
  persistent = true;
  collect = true;
  into: Exchange["into"] = null;
  parks = false;
  readTimeout: number = Number.POSITIVE_INFINITY;
  head: RequestHead;
  /** What `onBody` returns. */
  takes = true;
  received: Buffer | null = null;
  streamed = "";
  responseHead: ResponseHead | null = null;
  bodyLength: number | null = null;
  error: HTTPError | null = null;
  trailers: FieldLines | null = null;
  starts = 0;
  sent = 0;
  onAnything: (event: string) => void = () => undefined;

  constructor(
    init: Partial<RequestHeadInit> = {},
    more: Partial<Exchange> & { headers?: HeaderSource } = {},
  ) {
    Object.assign(this, more);
    const bodyLength =
      more.body instanceof Uint8Array ? more.body.length : more.body === null ? null : more.body?.length;
    this.head = new RequestHead({
      method: "GET",
      scheme: "https",
      authority: "a.test",
      target: "/",
      headers: more.headers === undefined ? null : new HTTPHeaderDict(more.headers),
      bodyLength: more.body === undefined ? null : bodyLength,
      chunked: false,
      defaults: { acceptEncoding: "gzip", userAgent: "u" },
      ...init,
    });
  }

  onStart(): number {
    this.starts++;
    return 0;
  }

  onSent(sent: number, done: boolean): void {
    this.sent = sent;
    if (done) this.#tell("sent");
  }

  onReceived(): void {}

  onInformational(head: ResponseHead): void {
    this.#tell(`informational ${head.status}`);
  }

  onHead(head: ResponseHead, facts: { bodyLength: number | null }): void {
    this.responseHead = head;
    this.bodyLength = facts.bodyLength;
    this.#tell(`head ${head.status}`);
  }

  onBody(bytes: Buffer): boolean {
    this.streamed += bytes.toString("latin1");
    this.#tell("body");
    return this.takes;
  }

  onEnd(body: Buffer | null, trailers: FieldLines | null): void {
    this.received = body;
    this.trailers = trailers;
    this.#tell(body === null ? "end" : `end ${body.length > 40 ? `of ${body.length}` : body}`);
  }

  onError(error: HTTPError): void {
    this.error = error;
    this.#tell(`error ${error.name}`);
  }

  #tell(event: string): void {
    this.log.push(event);
    this.onAnything(event);
  }
}

/** What a bench can be made with. */
export interface BenchOptions extends Omit<Partial<Http2Settings>, "wire"> {
  wire?: WirePairOptions;
  /** Whether the server's SETTINGS have come; default true. */
  settled?: boolean;
}

/** The connection, its owner and its server. */
export class Bench implements ConnectionOwner {
  readonly clock: VirtualClock = new VirtualClock();
  readonly client: Wire;
  readonly server: Wire;
  readonly connection: Http2Connection;
  /** Exchanges that were given back. */
  readonly unsents: Exchange[] = [];
  readonly log: string[] = [];
  deaths = 0;
  #bytes = Buffer.alloc(0);

  /** Just born: nothing was said. */
  constructor({ wire, settled: _settled, ...settings }: BenchOptions = {}) {
    const reader = new SocketReader();
    const [client, server] = wirePair({
      clock: this.clock,
      ...wire,
      client: { onread: reader.onread as never, ...wire?.client },
    });
    this.client = client;
    this.server = server;
    this.connection = new Http2Connection(asSocket(client), reader, {
      owner: this,
      clock: this.clock,
      timers: new CoarseTimers(this.clock),
      maxHeaderSize: 65_536,
      maxStreams: 1000,
      pingInterval: 0,
      route: "test:443",
      setup: { dns: 0, connect: 0, tls: 1 },
      ...settings,
    });
    server.on("data", (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
    });
    client.resume();
  }

  /** A connection that stands; unless `settled` is false, both sides have told their settings. */
  static async open(options: BenchOptions = {}): Promise<Bench> {
    const bench = new Bench(options);
    if (options.settled === false) return bench;
    bench.answer(h2.settings(), h2.settingsAck());
    await settle();
    bench.frames();
    return bench;
  }

  capacityChanged(): void {
    this.log.push(`open=${this.connection.open} free=${this.connection.free}`);
  }

  unsent(exchange: Exchange): void {
    this.unsents.push(exchange);
  }

  dead(): void {
    this.deaths++;
    this.log.push("dead");
  }

  /** Begins an exchange, and waits until it is on the wire. */
  async send(sent: Sent = new Sent()): Promise<Stream> {
    const stream = this.connection.start(sent);
    await settle();
    return stream;
  }

  answer(...frames: Uint8Array[]): void {
    this.server.write(Buffer.concat(frames));
  }

  /** As `answer`, and waits until it was heard. */
  async answered(...frames: Uint8Array[]): Promise<void> {
    this.answer(...frames);
    await settle();
  }

  /** The frames that the client wrote since. */
  frames(): h2.ReadFrame[] {
    const start = this.#bytes.toString("latin1", 0, 3) === "PRI" ? 24 : 0;
    const { frames, rest } = h2.readFrames(this.#bytes.subarray(start));
    this.#bytes = Buffer.from(rest);
    return frames;
  }
}

/** A whole response. */
export function response(id: number, body: string = "ok"): Buffer {
  return Buffer.concat([h2.headers(id, [[":status", "200"]]), h2.data(id, body, true)]);
}
