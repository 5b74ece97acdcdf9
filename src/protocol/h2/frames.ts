/** The numbers of RFC 9113: frame types, flags, settings and error codes. */

/** Bytes of a frame's head (§4.1). */
export const HEAD_SIZE = 9;

// Frame types (§6).

/** A run of a body (§6.1). */
export const DATA = 0;
/** A field block that begins a message or its trailers (§6.2). */
export const HEADERS = 1;
/** Deprecated (§6.3). */
export const PRIORITY = 2;
/** Ends a stream (§6.4). */
export const RST_STREAM = 3;
/** What a side asks of the other (§6.5). */
export const SETTINGS = 4;
/** A request that the server makes for us (§6.6); we allow none. */
export const PUSH_PROMISE = 5;
/** Eight octets to be sent back (§6.7). */
export const PING = 6;
/** No new streams (§6.8). */
export const GOAWAY = 7;
/** More flow-control window (§6.9). */
export const WINDOW_UPDATE = 8;
/** The rest of a field block (§6.10). */
export const CONTINUATION = 9;

// Flags; END_STREAM and ACK are the same bit of different frames.

/** Of DATA and HEADERS: the last frame of its side. */
export const END_STREAM = 0x1;
/** Of SETTINGS and PING: the answer. */
export const ACK = 0x1;
/** Of HEADERS and CONTINUATION: the field block is complete. */
export const END_HEADERS = 0x4;
/** Of DATA and HEADERS: padding follows. */
export const PADDED = 0x8;
/** Of HEADERS: five octets of deprecated priority come first. */
export const PRIORITY_FLAG = 0x20;

// Settings (§6.5.2; RFC 8441; RFC 9218).

/** Octets of HPACK's table that the sender of the setting allows. */
export const HEADER_TABLE_SIZE = 1;
/** Whether PUSH_PROMISE is allowed. */
export const ENABLE_PUSH = 2;
/** Streams open at once. */
export const MAX_CONCURRENT_STREAMS = 3;
/** Window of new streams. */
export const INITIAL_WINDOW_SIZE = 4;
/** Largest payload. */
export const MAX_FRAME_SIZE = 5;
/** Largest list of fields. */
export const MAX_HEADER_LIST_SIZE = 6;
/** Extended CONNECT (RFC 8441). */
export const ENABLE_CONNECT_PROTOCOL = 8;
/** Deprecated priorities are not used (RFC 9218 §2.1). */
export const NO_RFC7540_PRIORITIES = 9;

// Error codes (§7).

/** All is well. */
export const NO_ERROR = 0;
/** A rule was broken. */
export const PROTOCOL_ERROR = 1;
/** The sender failed. */
export const INTERNAL_ERROR = 2;
/** A window was overrun, or made too large. */
export const FLOW_CONTROL_ERROR = 3;
/** SETTINGS were not acknowledged. */
export const SETTINGS_TIMEOUT = 4;
/** A frame for a stream that is over. */
export const STREAM_CLOSED = 5;
/** A frame of a wrong length. */
export const FRAME_SIZE_ERROR = 6;
/** The stream was not processed. */
export const REFUSED_STREAM = 7;
/** The stream is not wanted any more. */
export const CANCEL = 8;
/** A field block does not decode. */
export const COMPRESSION_ERROR = 9;
/** The connection of a CONNECT broke. */
export const CONNECT_ERROR = 10;
/** Too much of something. */
export const ENHANCE_YOUR_CALM = 11;
/** TLS is not good enough. */
export const INADEQUATE_SECURITY = 12;
/** Ask again in HTTP/1.1. */
export const HTTP_1_1_REQUIRED = 13;

/** A window or an increment (§6.9.1). */
export const LARGEST_WINDOW = 0x7fffffff;
/** A stream id (§5.1.1). */
export const LARGEST_STREAM_ID = 0x7fffffff;

/** Both sides' window of a stream, and of the connection, before anything is said (§6.9.2). */
export const DEFAULT_WINDOW = 65_535;

/** What a client sends first (§3.4). */
export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const CODE_NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** Name and number of an error code, such as `CANCEL (8)`; `error 99` for one that has no name. */
export function codeName(code: number): string {
  const name = CODE_NAMES[code];
  return name === undefined ? `error ${code}` : `${name} (${code})`;
}

/** Reads 32 bits, most significant first, without their reserved first one. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Reads 32 bits, most significant first. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint31(bytes, at) + (bytes[at]! & 0x80) * 0x1000000;
}

/** Text that a peer sent, fit for a message: Latin-1 in one line, at most `longest` characters. */
export function printable(bytes: Uint8Array, start: number, end: number, longest: number): string {
  let text = "";
  for (let at = start; at < Math.min(end, start + longest); at++) {
    const octet = bytes[at]!;
    text += octet >= 32 && octet < 127 ? String.fromCharCode(octet) : " ";
  }
  return text.trim();
}
