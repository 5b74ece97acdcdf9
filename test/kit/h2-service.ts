/** The server's half of HTTP/2 on a socket, in the hands of a test: it hears of requests, and writes the frames itself. */

import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { FieldDecoder } from "../../src/protocol/h2/field-decoder.ts";
import * as h2 from "./h2-frames.ts";

const PREFACE_SIZE = 24;

/** Hears of the requests that have come: the stream's id, its path, and all its field lines. */
export type OnRequest = (id: number, path: string, lines: string) => void;

/** Says SETTINGS, acknowledges the client's, and tells `onRequest` of each HEADERS. Bodies and windows are not heeded. */
export function serveFrames(socket: Duplex, onRequest: OnRequest): void {
  const decoder = new FieldDecoder(65_536);
  let bytes: Uint8Array = Buffer.alloc(0);
  let preface = false;
  socket.on("error", () => socket.destroy());
  socket.write(h2.settings([3, 100]));
  socket.on("data", (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    if (!preface) {
      if (bytes.length < PREFACE_SIZE) return;
      preface = true;
      bytes = bytes.subarray(PREFACE_SIZE);
    }
    const { frames, rest } = h2.readFrames(Buffer.from(bytes));
    bytes = rest;
    for (const { type, flags, id, payload } of frames) {
      if (type === 4 && (flags & 1) === 0) socket.write(h2.settingsAck());
      if (type !== 1) continue;
      const { text } = decoder.decode(payload, 0, payload.length);
      onRequest(id, /:path: (.*)\r\n/.exec(text)![1]!, text);
    }
  });
}

/** Content of one DATA frame. */
const FRAME = 16_384;

/** A whole answer with this body; `declared`: its length is told. */
export function wholeAnswer(id: number, body: Buffer, declared: boolean): Buffer {
  const length: h2.FieldPair[] = declared ? [["content-length", String(body.length)]] : [];
  const parts = [h2.headers(id, [[":status", "200"], ...length])];
  for (let at = 0; at < body.length; at += FRAME) parts.push(h2.data(id, body.subarray(at, at + FRAME)));
  return Buffer.concat([...parts, h2.data(id, "", true)]);
}

/** A server by prior knowledge on loopback, whose answers are the test's frames. */
export async function startFrames(answer: (path: string, id: number) => Uint8Array): Promise<{
  port: number;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const server = net.createServer((socket) => {
    serveFrames(socket, (id, path) => socket.write(answer(path, id)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}
