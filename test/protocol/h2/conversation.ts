/** A session with its server's end in the test's hands: what it tells as lines, what it writes as frames. */

import assert from "node:assert/strict";
import type { FieldBlock } from "../../../src/protocol/h2/field-block.ts";
import type { HeadFacts } from "../../../src/protocol/h2/fields.ts";
import { CONNECTION_WINDOW } from "../../../src/protocol/h2/limits.ts";
import { Session } from "../../../src/protocol/h2/session.ts";
import type { SessionObserver } from "../../../src/protocol/h2/session-observer.ts";
import { H2Stream } from "../../../src/protocol/h2/stream.ts";
import { Violation } from "../../../src/protocol/h2/violation.ts";
import * as h2 from "../../kit/h2-frames.ts";

/** What a conversation may be made with. */
export interface ConversationOptions {
  maxHeaderSize?: number;
  maxStreams?: number;
  /** Whether the server's SETTINGS and its acknowledgement have come; default true. */
  settled?: boolean;
  /** Whether what comes is consumed at once; default true. */
  consumes?: boolean;
}

const NAMES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
];

/** One session, its observer, and the peer. */
export class Conversation implements SessionObserver {
  readonly session: Session;
  /** What was told, in order. */
  readonly events: string[] = [];
  readonly bodies: Map<number, string> = new Map();
  /** The error of the connection, once there was one. */
  failure: Violation | null = null;
  now: number = 0;
  consumes: boolean;
  /** Called with each event. */
  onEvent: (event: string, stream: H2Stream) => void = () => undefined;
  readonly #written: h2.ReadFrame[] = [];

  constructor(options: ConversationOptions = {}) {
    const { maxHeaderSize = 65_536, maxStreams = 1000, settled = true, consumes = true } = options;
    this.consumes = consumes;
    this.session = new Session(this, { maxHeaderSize, maxStreams }, this.now);
    if (!settled) return;
    this.receive(h2.settings(), h2.settingsAck());
    this.sent();
    this.events.length = 0;
  }

  /** Bytes from the server; afterwards the rules that always hold are checked. */
  receive(...frames: Uint8Array[]): void {
    // Nobody answers what was not written.
    if (!this.session.blocked) this.#write();
    const bytes = Buffer.concat(frames);
    try {
      this.session.receive(bytes, bytes.length, this.now);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      assert.equal(error.scope, "connection");
      this.failure = error;
    }
    this.check();
  }

  /** Begins a stream. */
  begin(facts: Partial<HeadFacts> = {}, endStream: boolean = true): H2Stream {
    const stream = new H2Stream();
    this.session.begin(stream, { ...HEAD, ...facts }, endStream);
    this.check();
    return stream;
  }

  /** Takes and names the frames that were written since. */
  sent(): string[] {
    return this.sentFrames().map(describe);
  }

  sentFrames(): h2.ReadFrame[] {
    this.#write();
    return this.#written.splice(0);
  }

  #write(): void {
    const taken = this.session.takeOutput();
    if (taken === null) return;
    const bytes = Buffer.from(taken);
    this.session.giveBack(false);
    const start = bytes.toString("latin1", 0, 3) === "PRI" ? 24 : 0;
    const { frames, rest } = h2.readFrames(bytes.subarray(start));
    assert.equal(rest.length, 0, "only whole frames are written");
    this.#written.push(...frames);
  }

  /** The events since, joined into one line each. */
  told(): string[] {
    return this.events.splice(0);
  }

  /** What holds after every step: no credit is lost, and what is counted is there. */
  check(): void {
    const { streams, connectionWindow } = this.session;
    assert.equal(connectionWindow.mayReceive + connectionWindow.credit, CONNECTION_WINDOW);
    const open = streams.list();
    assert.equal(open.length, streams.count);
    for (const stream of open) {
      assert.equal(
        stream.mayReceive + stream.unread + stream.credit,
        stream.windowSize,
        `stream ${stream.id}`,
      );
      assert.ok(stream.mayReceive >= 0 && stream.unread >= 0 && stream.credit >= 0);
    }
    assert.ok(this.session.decoder.table.size <= this.session.decoder.table.limit);
  }

  onInformational(stream: H2Stream, head: FieldBlock): void {
    this.#tell(`${stream.id} informational ${head.status}`, stream);
  }

  onHead(stream: H2Stream, head: FieldBlock): void {
    this.#tell(`${stream.id} head ${head.status} ${stream.expected}`, stream);
  }

  onData(stream: H2Stream, bytes: Buffer, start: number, end: number): void {
    this.bodies.set(stream.id, (this.bodies.get(stream.id) ?? "") + bytes.toString("latin1", start, end));
    if (this.consumes) this.session.consume(stream, end - start);
    this.onEvent("data", stream);
  }

  onEnd(stream: H2Stream, trailers: FieldBlock | null): void {
    const body = this.bodies.get(stream.id) ?? "";
    const shown = body.length > 40 ? `${body.length} octets` : body;
    this.#tell(`${stream.id} end "${shown}"${trailers === null ? "" : ` ${trailers.text.trim()}`}`, stream);
  }

  onTruncated(stream: H2Stream): void {
    this.#tell(`${stream.id} truncated ${stream.received} of ${stream.expected}`, stream);
  }

  onViolation(stream: H2Stream, violation: Violation): void {
    assert.equal(violation.scope, "stream");
    assert.equal(violation.id, stream.id);
    this.#tell(`${stream.id} violation ${violation.code}: ${violation.message}`, stream);
  }

  onReset(stream: H2Stream, code: number): void {
    this.#tell(`${stream.id} reset ${code}`, stream);
  }

  onGoAway(code: number, text: string): void {
    this.events.push(`goaway ${code} ${text}`);
  }

  onUnprocessed(stream: H2Stream): void {
    this.#tell(`${stream.id} unprocessed`, stream);
  }

  onSent(stream: H2Stream, length: number, last: boolean): void {
    this.#tell(`${stream.id} sent ${length}${last ? " last" : ""}`, stream);
  }

  onSettings(): void {
    this.events.push("settings");
  }

  onPong(): void {
    this.events.push("pong");
  }

  #tell(event: string, stream: H2Stream): void {
    this.events.push(event);
    this.onEvent(event, stream);
  }
}

const HEAD: HeadFacts = {
  method: "GET",
  scheme: "https",
  authority: "a.test",
  target: "/",
  headers: null,
  addedLength: null,
  defaults: { acceptEncoding: "gzip", userAgent: "u" },
  plain: null,
};

/** A response of two octets. */
export function answer(id: number, body: string = "ok"): Buffer {
  return Buffer.concat([h2.headers(id, [[":status", "200"]]), h2.data(id, body, true)]);
}

/** A frame in a few words. */
export function describe({ type, flags, id, payload }: h2.ReadFrame): string {
  const name = NAMES[type] ?? `type ${type}`;
  const end = (type === 0 || type === 1) && (flags & 1) === 1 ? " end" : "";
  if (type === 3 || type === 8) return `${name} ${id} ${payload.readUInt32BE(0)}`;
  if (type === 4 || type === 6) return `${name}${(flags & 1) === 1 ? " ack" : ""}`;
  if (type === 7)
    return `${name} ${payload.readUInt32BE(0)} ${payload.readUInt32BE(4)} ${payload.toString("latin1", 8)}`.trim();
  return `${name} ${id} ${payload.length}${end}`;
}
