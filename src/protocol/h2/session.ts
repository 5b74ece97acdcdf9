/**
 * One HTTP/2 connection of a client, without I/O: bytes and commands go in, bytes and calls of the observer come out
 * (RFC 9113). The clock enters as a number with what was received.
 *
 * A broken rule of the connection is thrown as `Violation`, after GOAWAY was written: nothing may be received then, and
 * the streams that are open fail with it. A broken rule of a stream resets that stream and is told to the observer.
 */

import { Budget } from "./budget.ts";
import type { FieldBlock } from "./field-block.ts";
import { FieldDecoder } from "./field-decoder.ts";
import { type HeadFacts, headProblem, trailersProblem } from "./fields.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import * as frames from "./frames.ts";
import { HeadEncoder } from "./head-encoder.ts";
import * as limits from "./limits.ts";
import * as output from "./output.ts";
import { PeerSettings } from "./peer-settings.ts";
import { SendQueue } from "./send-queue.ts";
import type { SessionLimits, SessionObserver } from "./session-observer.ts";
import { AWAITING_HEAD, CLOSED, type H2Stream, IN_BODY } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import { refuseConnection, Violation } from "./violation.ts";
import * as windows from "./window.ts";

/** One connection's session. */
export class Session implements FrameSink {
  readonly peer: PeerSettings = new PeerSettings();
  readonly streams: StreamTable = new StreamTable();
  readonly connectionWindow: windows.ConnectionWindow = new windows.ConnectionWindow();
  readonly uploads: SendQueue;
  readonly decoder: FieldDecoder;
  /** The socket does not take what was written: answers that pile up are limited. */
  blocked: boolean = false;
  /** How often something was read. */
  reads: number = 0;
  /** Streams that the server has refused although they were within its limit. */
  refusals: number = 0;
  /** A rule of the connection was broken: GOAWAY says so. */
  failed: boolean = false;
  /** GOAWAY came or went: no new streams. */
  goingAway: boolean = false;
  /** The last stream whose head was given to the socket. */
  writtenId: number = 0;
  /** Whether our settings were acknowledged. */
  acknowledged: boolean = false;
  readonly #observer: SessionObserver;
  readonly #limits: SessionLimits;
  readonly #out = new output.Output();
  readonly #reader: FrameReader;
  readonly #encoder = new HeadEncoder();
  readonly #budget: Budget;
  readonly #startedAt: number;
  #now: number;
  /** Time from our settings to their acknowledgement, in ms. */
  #roundTrip = 0;
  /** Streams that we reset before anything was read: the server may not know, so they count as open. */
  #unconfirmed = 0;
  #unsentReplies = 0;
  #excusedUpdates = 0;
  #lastGoAway: number = frames.LARGEST_STREAM_ID;
  #pings = 0;
  #dataStream: H2Stream | null = null;
  #dataLength = 0;
  #dataContent = 0;

  /** Writes the preface and our settings (§3.4). `now` in ms. */
  constructor(observer: SessionObserver, bounds: SessionLimits, now: number) {
    this.#observer = observer;
    this.#limits = bounds;
    this.#now = this.#startedAt = now;
    this.uploads = new SendQueue(observer);
    this.decoder = new FieldDecoder(bounds.maxHeaderSize);
    this.#reader = new FrameReader(this, bounds.maxHeaderSize);
    this.#budget = new Budget(now);
    this.#out.latin1(frames.PREFACE);
    output.writeSettings(this.#out, [
      [frames.ENABLE_PUSH, 0],
      [frames.INITIAL_WINDOW_SIZE, limits.STREAM_WINDOW],
      [frames.MAX_HEADER_LIST_SIZE, bounds.maxHeaderSize],
      [frames.NO_RFC7540_PRIORITIES, 1],
    ]);
    output.writeWindowUpdate(this.#out, 0, limits.CONNECTION_WINDOW - frames.DEFAULT_WINDOW);
  }

  /** Streams that may begin now. */
  get free(): number {
    if (this.goingAway || this.failed || this.isExhausted) return 0;
    return Math.max(0, this.streamLimit - this.streams.count - this.#unconfirmed);
  }

  /** Its ids are used up. */
  get isExhausted(): boolean {
    return this.streams.lastId >= limits.LAST_STREAM_ID;
  }

  /** Nothing can begin, and resets that the server may not have seen are part of the reason: any word of it helps. */
  get needsSign(): boolean {
    return this.#unconfirmed > 0 && this.free === 0;
  }

  /** Streams that may be open at once. */
  get streamLimit(): number {
    const { maxStreams, firstStreams = limits.STREAMS_BEFORE_SETTINGS } = this.#limits;
    if (!this.peer.known) return Math.min(firstStreams, limits.STREAMS_BEFORE_SETTINGS, maxStreams);
    return Math.min(this.peer.maxStreams, maxStreams, limits.MOST_STREAMS);
  }

  /** Reads `bytes[0, length)`. Throws a `Violation` of the connection; then only `takeOutput` makes sense. */
  receive(bytes: Buffer, length: number, now: number): void {
    this.#now = now;
    this.reads++;
    this.#unconfirmed = 0;
    try {
      this.#reader.execute(bytes, length);
    } catch (error) {
      this.failed = true;
      if (error instanceof Violation) output.writeGoAway(this.#out, error.code, error.message);
      throw error;
    }
    const increment = this.connectionWindow.due();
    if (increment > 0) output.writeWindowUpdate(this.#out, 0, increment);
  }

  /**
   * Begins a stream; only while `free` is above 0. `endStream`: the request has no body. Throws `InvalidHeader` for a head
   * that cannot be sent; the stream has not begun then.
   */
  begin(stream: H2Stream, head: HeadFacts, endStream: boolean): void {
    const start = output.beginHeaders(this.#out);
    try {
      this.#encoder.encode(this.#out, head, this.peer.maxHeaderListSize);
    } catch (error) {
      this.#out.length = start;
      throw error;
    }
    this.streams.add(stream);
    stream.state = AWAITING_HEAD;
    stream.headRequest = head.method === "HEAD";
    stream.sending = !endStream;
    stream.begunAtRead = this.reads;
    stream.begunKnowing = this.peer.known;
    stream.creditedAt = this.#now;
    output.endHeaders(this.#out, start, stream.id, endStream, this.peer.frameSize);
    stream.headOctets = this.#out.length - start;
  }

  /** Adds a part of the request's body, which must stay as it is until `onSent` tells that it went out. */
  data(stream: H2Stream, part: Buffer | null, last: boolean): void {
    if (stream.sending && stream.state !== CLOSED) this.uploads.add(stream, part, last);
  }

  /** `length` octets of what `onData` gave are not needed any more: the server may send others. */
  consume(stream: H2Stream, length: number): void {
    windows.consume(stream, length);
    if (stream.state === CLOSED || hasWindowForRest(stream)) return;
    const increment = windows.due(stream, this.#now, this.#roundTrip);
    if (increment > 0) output.writeWindowUpdate(this.#out, stream.id, increment);
  }

  /** Lets the server send a body of known length without another word; for one that is collected. */
  prepay(stream: H2Stream): void {
    // One octet more: a server without any window may not even send END_STREAM.
    const increment = windows.prepay(stream, stream.expected + 1);
    if (increment > 0 && stream.state !== CLOSED) output.writeWindowUpdate(this.#out, stream.id, increment);
  }

  /** Ends a stream that nobody wants any more. */
  reset(stream: H2Stream, code: number): void {
    if (stream.state === CLOSED || stream.id === 0) return;
    if (stream.begunAtRead === this.reads) this.#unconfirmed++;
    this.#close(stream);
    this.#writeReset(stream.id, code);
  }

  /** Asks whether the server is there; `onPong` is the answer. */
  ping(): void {
    const octets = Buffer.alloc(8);
    octets.writeUInt32BE(++this.#pings, 4);
    output.writePing(this.#out, false, octets, 0);
  }

  /** No new streams; the ones that are open go on. */
  goAway(code: number): void {
    this.goingAway = true;
    output.writeGoAway(this.#out, code, "");
  }

  /** Whether `takeOutput` would give something. */
  get hasOutput(): boolean {
    return this.#out.length > 0 || this.uploads.hasWork;
  }

  /** All that is to be written now, at most about 64 KiB more than what cannot wait. The caller's until `giveBack`. */
  takeOutput(): Buffer | null {
    this.uploads.pump(this.#out, this.peer.frameSize, limits.OUTPUT_HIGH_WATER);
    this.#unsentReplies = 0;
    this.writtenId = this.streams.lastId;
    return this.#out.take();
  }

  /** What `takeOutput` gave first was written: its memory can be used again, unless somebody `keeps` it. */
  giveBack(keeps: boolean): void {
    this.#out.giveBack(keeps);
  }

  // FrameSink

  onHeaders(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    this.#budget.earn();
    const stream = this.#find(id, "HEADERS");
    // Whoever it is for: the table must stay the same as the server's (§4.3).
    const block = this.decoder.decode(bytes, start, end);
    if (stream === null) this.#onStray(id);
    else if (block.tooLarge)
      this.#breach(
        stream,
        frames.ENHANCE_YOUR_CALM,
        `fields larger than ${this.#limits.maxHeaderSize} bytes (maxHeaderSize)`,
      );
    else if (stream.state === IN_BODY) this.#onTrailers(stream, block, endStream);
    else this.#onHead(stream, block, endStream);
  }

  onDataHead(id: number, length: number): void {
    if (!this.connectionWindow.receive(length))
      refuseConnection(frames.FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    const stream = this.#find(id, "DATA");
    this.#dataStream = stream;
    this.#dataLength = length;
    this.#dataContent = 0;
    if (stream === null) this.#onStray(id);
    else if (stream.state !== IN_BODY)
      this.#breach(stream, frames.PROTOCOL_ERROR, "DATA before the response's head");
    else if (!windows.receive(stream, length))
      this.#breach(stream, frames.FLOW_CONTROL_ERROR, "more DATA than the stream's window");
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    const stream = this.#dataStream;
    this.#dataContent += end - start;
    if (stream === null || stream.state === CLOSED) return;
    stream.received += end - start;
    if (stream.expected !== -1 && stream.received > stream.expected)
      this.#breach(stream, frames.PROTOCOL_ERROR, `a body longer than its ${stream.expected} bytes`);
    else this.#observer.onData(stream, bytes, start, end);
  }

  onDataEnd(endStream: boolean): void {
    const stream = this.#dataStream;
    const padding = this.#dataLength - this.#dataContent;
    this.#dataStream = null;
    if (this.#dataContent > 0) this.#budget.earn();
    if (stream === null || stream.state === CLOSED) return;
    if (endStream) this.#endAnswer(stream, null);
    else if (this.#dataContent === 0) this.#spend(1, "DATA frames without content");
    if (padding > 0) this.consume(stream, padding);
  }

  onReset(id: number, code: number): void {
    const stream = this.#find(id, "RST_STREAM");
    if (stream === null) {
      if (!this.streams.wasReset(id)) this.#spend(1, "resets of closed streams");
      return;
    }
    if (code === frames.REFUSED_STREAM && stream.begunKnowing) this.refusals++;
    this.#close(stream);
    this.#observer.onReset(stream, code);
  }

  onSettings(bytes: Buffer, start: number, end: number): void {
    const first = !this.peer.known;
    if (!first) this.#spend(1, "SETTINGS frames");
    this.peer.apply(bytes, start, end);
    if (!this.uploads.setInitialWindow(this.peer.initialWindow, () => this.streams.list()))
      refuseConnection(frames.FLOW_CONTROL_ERROR, "an INITIAL_WINDOW_SIZE that makes a window too large");
    this.#encoder.fields.allowTable(this.peer.smallestTableSize);
    this.#encoder.fields.allowTable(this.peer.headerTableSize);
    output.writeSettingsAck(this.#out);
    this.#countReply(frames.HEAD_SIZE);
    this.#observer.onSettings();
  }

  onSettingsAck(): void {
    if (this.acknowledged) refuseConnection(frames.PROTOCOL_ERROR, "an acknowledgement of no SETTINGS");
    this.acknowledged = true;
    this.#roundTrip = this.#now - this.#startedAt;
  }

  onPing(ack: boolean, bytes: Buffer, at: number): void {
    if (ack && this.#pings > 0 && bytes.readUInt32BE(at + 4) === this.#pings) {
      this.#observer.onPong();
      return;
    }
    this.#spend(1, "PING frames");
    if (ack) return;
    output.writePing(this.#out, true, bytes, at);
    this.#countReply(frames.HEAD_SIZE + 8);
  }

  onGoAway(lastId: number, code: number, bytes: Buffer, start: number, end: number): void {
    this.#checkGoAway(lastId);
    this.#lastGoAway = lastId;
    this.goingAway = true;
    this.#spend(1, "GOAWAY frames");
    this.#observer.onGoAway(code, frames.printable(bytes, start, end, limits.DEBUG_TEXT));
    const lost = this.streams
      .list()
      .filter((stream) => stream.id > lastId)
      .reverse();
    for (const stream of lost) this.#close(stream);
    for (const stream of lost) this.#observer.onUnprocessed(stream);
  }

  onWindowUpdate(id: number, increment: number): void {
    if (id === 0) {
      if (increment === 0) refuseConnection(frames.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0");
      if (!this.uploads.enlargeConnection(increment))
        refuseConnection(frames.FLOW_CONTROL_ERROR, "a connection window above 2^31-1");
      this.#excuseUpdate();
      return;
    }
    const stream = this.#find(id, "WINDOW_UPDATE");
    if (!this.streams.wasReset(id)) this.#excuseUpdate();
    if (stream === null) return;
    if (increment === 0) this.#breach(stream, frames.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0");
    else if (!this.uploads.enlarge(stream, increment))
      this.#breach(stream, frames.FLOW_CONTROL_ERROR, "a stream window above 2^31-1");
  }

  onIgnored(): void {
    this.#spend(1, "frames without meaning");
  }

  // The rules

  /** The open stream `id`; `null` if it is closed. */
  #find(id: number, what: string): H2Stream | null {
    if ((id & 1) === 0 || id > this.writtenId)
      refuseConnection(frames.PROTOCOL_ERROR, `${what} on a stream that was never opened`);
    return this.streams.get(id);
  }

  /** HEADERS or DATA for a closed stream. */
  #onStray(id: number): void {
    if (this.streams.wasReset(id)) return;
    this.#writeReset(id, frames.STREAM_CLOSED);
    this.#spend(limits.RESET_COST, "frames on closed streams");
  }

  /** The server broke a rule on `stream`. */
  #breach(stream: H2Stream, code: number, text: string): void {
    this.#close(stream);
    this.#writeReset(stream.id, code);
    this.#observer.onViolation(stream, new Violation("stream", code, stream.id, text));
    this.#spend(limits.RESET_COST, "broken rules");
  }

  #onHead(stream: H2Stream, block: FieldBlock, endStream: boolean): void {
    const problem = headProblem(block, endStream);
    if (problem !== null) this.#breach(stream, frames.PROTOCOL_ERROR, `a malformed response: ${problem}`);
    else if (block.status < 200) this.#onInformational(stream, block);
    else {
      stream.state = IN_BODY;
      stream.expected = bodyLength(stream, block, endStream);
      this.#observer.onHead(stream, block);
      if (endStream && stream.state === IN_BODY) this.#endAnswer(stream, null);
    }
  }

  #onInformational(stream: H2Stream, block: FieldBlock): void {
    stream.informationalSize += block.size;
    if (++stream.informationals > limits.INFORMATIONAL_HEADS)
      this.#breach(stream, frames.ENHANCE_YOUR_CALM, `more than ${limits.INFORMATIONAL_HEADS} 1xx responses`);
    else if (stream.informationalSize > this.#limits.maxHeaderSize)
      this.#breach(stream, frames.ENHANCE_YOUR_CALM, "1xx responses larger than maxHeaderSize");
    else this.#observer.onInformational(stream, block);
  }

  #onTrailers(stream: H2Stream, block: FieldBlock, endStream: boolean): void {
    const problem = trailersProblem(block, endStream);
    if (problem !== null) this.#breach(stream, frames.PROTOCOL_ERROR, `malformed trailers: ${problem}`);
    else this.#endAnswer(stream, block);
  }

  /** END_STREAM came. What we were still sending is not needed any more (§8.1). */
  #endAnswer(stream: H2Stream, trailers: FieldBlock | null): void {
    const short = stream.received < stream.expected;
    const unsent = stream.sending;
    this.#close(stream);
    if (unsent) this.#writeReset(stream.id, short ? frames.PROTOCOL_ERROR : frames.CANCEL);
    if (short) this.#observer.onTruncated(stream);
    else this.#observer.onEnd(stream, trailers);
  }

  #close(stream: H2Stream): void {
    stream.state = CLOSED;
    this.streams.remove(stream);
    this.uploads.drop(stream);
  }

  #writeReset(id: number, code: number): void {
    this.streams.rememberReset(id);
    output.writeReset(this.#out, id, code);
  }

  #checkGoAway(lastId: number): void {
    if (lastId > this.#lastGoAway)
      refuseConnection(frames.PROTOCOL_ERROR, "a GOAWAY with a higher last stream");
    if (lastId === frames.LARGEST_STREAM_ID || lastId === 0) return;
    if ((lastId & 1) === 0 || lastId > this.writtenId)
      refuseConnection(frames.PROTOCOL_ERROR, "a GOAWAY with a last stream that was never opened");
  }

  /** Each DATA frame of ours may be answered by an update of its stream and one of the connection. */
  #excuseUpdate(): void {
    if (this.#excusedUpdates < 2 * this.uploads.framesSent) this.#excusedUpdates++;
    else this.#spend(1, "WINDOW_UPDATE frames");
  }

  #spend(cost: number, what: string): void {
    if (!this.#budget.spend(cost, this.#now)) refuseConnection(frames.ENHANCE_YOUR_CALM, `too many ${what}`);
  }

  #countReply(length: number): void {
    this.#unsentReplies += length;
    if (this.blocked && this.#unsentReplies > limits.UNSENT_REPLIES)
      refuseConnection(frames.ENHANCE_YOUR_CALM, "answers that the server does not read");
  }
}

/** Octets of the body: -1 where nobody has told (§8.1.1). */
function bodyLength(stream: H2Stream, block: FieldBlock, endStream: boolean): number {
  if (stream.headRequest || block.status === 204 || block.status === 304) return 0;
  return endStream && block.contentLength === -1 ? 0 : block.contentLength;
}

/**
 * The server may send all that is to come, and has some window left: an update would be for nothing. Without any window
 * some servers (Apache 2.4) do not even send END_STREAM.
 */
function hasWindowForRest(stream: H2Stream): boolean {
  return stream.expected !== -1 && stream.expected - stream.received < stream.mayReceive;
}
