/** Helpers of the HPACK tests. */

import type { FieldBlock } from "../../../src/protocol/h2/field-block.ts";
import { FieldDecoder } from "../../../src/protocol/h2/field-decoder.ts";
import type { FieldTable } from "../../../src/protocol/h2/table.ts";
import { Violation } from "../../../src/protocol/h2/violation.ts";
import type { FieldPair } from "../../kit/h2-frames.ts";

/** Field lines as they were sent, `:status` again in front. */
export function linesOf(block: FieldBlock): string {
  const status = block.status === 0 || block.text.includes(":status: ") ? "" : `:status: ${block.status}\r\n`;
  return status + block.text;
}

export function asLines(fields: readonly FieldPair[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
}

/** Decodes hexadecimal octets, or bytes. */
export function decodeBlock(decoder: FieldDecoder, block: string | Uint8Array): FieldBlock {
  const bytes =
    typeof block === "string" ? Buffer.from(block.replaceAll(" ", ""), "hex") : Buffer.from(block);
  return decoder.decode(bytes, 0, bytes.length);
}

/** What a block comes to: its fields and what was noted, or the code of its error. */
export function outcomeOf(decoder: FieldDecoder, block: string | Uint8Array): string {
  try {
    const decoded = decodeBlock(decoder, block);
    const { contentLength, encoded, size, tooLarge, problem } = decoded;
    return JSON.stringify([linesOf(decoded), contentLength, encoded, size, tooLarge, problem]);
  } catch (error) {
    if (error instanceof Violation && error.scope === "connection") return `error ${error.code}`;
    throw error;
  }
}

/** A decoder for lists of any size. */
export function generousDecoder(tableSize: number = 4096): FieldDecoder {
  return new FieldDecoder(1_000_000, tableSize);
}

export function tableLines(table: FieldTable): string {
  let lines = "";
  for (let index = 0; index < table.count; index++) {
    const slot = table.slot(index);
    const from = table.offset(slot);
    lines += table.source(slot).toString("latin1", from, from + table.lineLength(slot));
  }
  return lines;
}
