/** Writes any HTTP/2 frame, legal or not, and reads those that a client wrote. Knows nothing of the code under test. */

/** A frame that was read. */
export interface ReadFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** A field by name and value. */
export type FieldPair = readonly [name: string, value: string];

/** The end flags of frames. */
export const FLAG: { readonly END_STREAM: 1; readonly ACK: 1; readonly END_HEADERS: 4; readonly PADDED: 8 } =
  {
    END_STREAM: 1,
    ACK: 1,
    END_HEADERS: 4,
    PADDED: 8,
  };

/** Any frame; `length` may lie. */
export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array | string = "",
  length?: number,
): Buffer {
  const bytes = Buffer.from(payload as string, "latin1");
  const head = Buffer.alloc(9);
  head.writeUIntBE(length ?? bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id >>> 0, 5);
  return Buffer.concat([head, bytes]);
}

/** 32-bit numbers, most significant octet first. */
export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * at);
  return bytes;
}

export function settings(...pairs: (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [at, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * at);
    payload.writeUInt32BE(value, 6 * at + 2);
  }
  return frame(4, 0, 0, payload);
}

export function settingsAck(): Buffer {
  return frame(4, FLAG.ACK, 0);
}

/** HEADERS in one frame; the block is made of literals unless it is given as bytes. */
export function headers(
  id: number,
  fields: readonly FieldPair[] | Uint8Array,
  endStream: boolean = false,
): Buffer {
  const block = fields instanceof Uint8Array ? fields : literals(fields);
  return frame(1, FLAG.END_HEADERS | (endStream ? FLAG.END_STREAM : 0), id, block);
}

export function data(id: number, content: Uint8Array | string, endStream: boolean = false): Buffer {
  return frame(0, endStream ? FLAG.END_STREAM : 0, id, content);
}

export function paddedData(id: number, content: string, padding: number, endStream: boolean = false): Buffer {
  const flags = FLAG.PADDED | (endStream ? FLAG.END_STREAM : 0);
  return frame(
    0,
    flags,
    id,
    Buffer.concat([Buffer.of(padding), Buffer.from(content), Buffer.alloc(padding)]),
  );
}

export function resetStream(id: number, code: number): Buffer {
  return frame(3, 0, id, uint32(code));
}

export function ping(octets: string = "12345678", flags: number = 0): Buffer {
  return frame(6, flags, 0, octets);
}

export function goAway(lastId: number, code: number = 0, text: string = ""): Buffer {
  return frame(7, 0, 0, Buffer.concat([uint32(lastId, code), Buffer.from(text, "latin1")]));
}

export function windowUpdate(id: number, increment: number): Buffer {
  return frame(8, 0, id, uint32(increment));
}

/** A field block of literals without indexing, nothing Huffman-coded. */
export function literals(fields: readonly FieldPair[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), string(name), string(value)]));
}

/** A string of HPACK, as it is. */
export function string(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([integer(0, 7, bytes.length), bytes]);
}

/** An integer of HPACK behind the bits of its first octet (RFC 7541 §5.1). */
export function integer(bits: number, prefix: number, value: number): Buffer {
  const largest = 2 ** prefix - 1;
  if (value < largest) return Buffer.of(bits | value);
  const octets = [bits | largest];
  let rest = value - largest;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) + 128);
  octets.push(rest);
  return Buffer.from(octets);
}

/** The whole frames at the start of `bytes`, and what is left. */
export function readFrames(bytes: Buffer): { frames: ReadFrame[]; rest: Buffer } {
  const frames: ReadFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      id: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}
