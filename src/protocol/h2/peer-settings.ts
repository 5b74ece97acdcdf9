/** What the server has said about itself (RFC 9113 §6.5.2). */

import * as frames from "./frames.ts";
import { MOST_STREAMS, SETTINGS_A_FRAME, TABLE_SIZE } from "./limits.ts";
import { refuseConnection } from "./violation.ts";

/** The server's settings, at their defaults until it tells others. */
export class PeerSettings {
  /** Whether a SETTINGS frame has come. */
  known: boolean = false;
  headerTableSize: number = TABLE_SIZE;
  /** The smallest that the last frame named on its way to it: what a table loses by that does not come back. */
  smallestTableSize: number = TABLE_SIZE;
  maxStreams: number = MOST_STREAMS;
  initialWindow: number = frames.DEFAULT_WINDOW;
  frameSize: number = 16_384;
  maxHeaderListSize: number = Number.POSITIVE_INFINITY;
  /** Whether extended CONNECT may be used (RFC 8441). */
  connectProtocol: boolean = false;

  /** Applies the settings in `bytes[start, end)` in their order. Throws a `Violation` of the connection. */
  apply(bytes: Buffer, start: number, end: number): void {
    if (end - start > 6 * SETTINGS_A_FRAME)
      refuseConnection(frames.ENHANCE_YOUR_CALM, "too many settings in one frame");
    this.known = true;
    this.smallestTableSize = Number.POSITIVE_INFINITY;
    for (let at = start; at < end; at += 6) {
      this.#applyOne((bytes[at]! << 8) | bytes[at + 1]!, frames.readUint32(bytes, at + 2));
    }
  }

  #applyOne(id: number, value: number): void {
    switch (id) {
      case frames.HEADER_TABLE_SIZE:
        this.headerTableSize = value;
        this.smallestTableSize = Math.min(this.smallestTableSize, value);
        return;
      case frames.ENABLE_PUSH:
        if (value !== 0) refuse("ENABLE_PUSH");
        return;
      case frames.MAX_CONCURRENT_STREAMS:
        this.maxStreams = value;
        return;
      case frames.INITIAL_WINDOW_SIZE:
        if (value > frames.LARGEST_WINDOW)
          refuseConnection(frames.FLOW_CONTROL_ERROR, "an INITIAL_WINDOW_SIZE above 2^31-1");
        this.initialWindow = value;
        return;
      case frames.MAX_FRAME_SIZE:
        if (value < 16_384 || value > 16_777_215) refuse("MAX_FRAME_SIZE");
        this.frameSize = value;
        return;
      case frames.MAX_HEADER_LIST_SIZE:
        this.maxHeaderListSize = value;
        return;
      case frames.ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (value === 0 && this.connectProtocol)) refuse("ENABLE_CONNECT_PROTOCOL");
        this.connectProtocol = value === 1;
    }
  }
}

function refuse(setting: string): never {
  refuseConnection(frames.PROTOCOL_ERROR, `an invalid value of ${setting}`);
}
