/** Reads HTTP/1.1 requests from a socket, one after the other. */

import type { Readable } from "node:stream";
import { HTTPHeaderDict } from "../index.ts";

/** A request as it came. */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: HTTPHeaderDict;
  readonly body: Buffer;
  /** The client wants the connection to end. */
  readonly close: boolean;
}

/** What a socket brings, cut into requests. */
export class RequestReader {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #source: AsyncIterator<Buffer>;

  constructor(source: Readable) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next one; `null` when the client has closed the connection. `goOn` tells who expects it to send the body. */
  async next(goOn: () => void): Promise<ReadRequest | null> {
    const head = await this.#until("\r\n\r\n");
    if (head === null) return null;
    const [line = "", ...lines] = head.toString("latin1").slice(0, -4).split("\r\n");
    const [method = "", target = "", version = ""] = line.split(" ");
    const headers = new HTTPHeaderDict();
    for (const field of lines) {
      const colon = field.indexOf(":");
      headers.add(field.slice(0, colon), field.slice(colon + 1).trim());
    }
    if (headers.get("expect")?.toLowerCase() === "100-continue") goOn();
    const body = await this.#body(headers);
    if (body === null) return null;
    const wish = headers.get("connection")?.toLowerCase() ?? "";
    const close = version === "HTTP/1.0" ? !wish.includes("keep-alive") : wish.includes("close");
    return { method, target, headers, body, close };
  }

  #body(headers: HTTPHeaderDict): Promise<Buffer | null> {
    if (headers.get("transfer-encoding")?.toLowerCase().endsWith("chunked")) return this.#chunks();
    return this.#take(Number(headers.get("content-length") ?? 0));
  }

  async #chunks(): Promise<Buffer | null> {
    const parts: Buffer[] = [];
    for (;;) {
      const line = await this.#until("\r\n");
      const size = Number.parseInt(line?.toString("latin1") ?? "", 16);
      if (!(size > 0)) break;
      const chunk = await this.#take(size + 2);
      if (chunk === null) return null;
      parts.push(chunk.subarray(0, size));
    }
    // Trailers, up to an empty line.
    for (;;) {
      const line = await this.#until("\r\n");
      if (line === null) return null;
      if (line.length === 2) return Buffer.concat(parts);
    }
  }

  async #until(mark: string): Promise<Buffer | null> {
    for (;;) {
      const at = this.#bytes.indexOf(mark, 0, "latin1");
      if (at >= 0) return this.#take(at + mark.length);
      if (!(await this.#more())) return null;
    }
  }

  async #take(length: number): Promise<Buffer | null> {
    while (this.#bytes.length < length) if (!(await this.#more())) return null;
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  async #more(): Promise<boolean> {
    try {
      const { done, value } = await this.#source.next();
      if (done) return false;
      this.#bytes = Buffer.concat([this.#bytes, value]);
      return true;
    } catch {
      // The client has broken the connection.
      return false;
    }
  }
}
