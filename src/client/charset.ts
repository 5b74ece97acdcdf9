/** Text in the charset that its Content-Type names. */

import { TextDecoder } from "node:util";

/** `bytes` as text; UTF-8 where no charset is named, or one that nobody knows. */
export function decodeText(bytes: Uint8Array, contentType: string | null): string {
  return decoderFor(charsetOf(contentType)).decode(bytes);
}

function charsetOf(contentType: string | null): string {
  return /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8";
}

function decoderFor(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder();
  }
}
