/** An answer on standard output: raw bytes in a pipe, JSON and text for people on a terminal. */

import { once } from "node:events";
import type { HTTPResponse } from "urlpool";
import { harmless, type Paint } from "../terminal.ts";

/** JSON up to this size is indented; more is printed as it comes. */
const PRETTY_LIMIT = 4_000_000;

/** Standard output. */
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Writes and waits while the reader is slower. */
export async function writeOut(output: Output, data: string | Uint8Array): Promise<void> {
  if (!output.write(data)) await once(output, "drain");
}

/** The bytes as they come. */
export async function printRaw(response: HTTPResponse, output: Output): Promise<void> {
  for await (const piece of response) await writeOut(output, piece);
}

/** For a terminal. */
export async function printPretty(response: HTTPResponse, output: Output, paint: Paint): Promise<void> {
  const type = response.headers.get("content-type") ?? "";
  if (/[/+]json\b/i.test(type)) await printJson(response, output, paint);
  else await printText(response, output, new TextDecoder(charset(type)));
}

async function printJson(response: HTTPResponse, output: Output, paint: Paint): Promise<void> {
  // The module is loaded only where somebody looks at JSON.
  const { prettyJson } = await import("./json.ts");
  const text = harmless((await response.read(PRETTY_LIMIT)).toString());
  const pretty = text.length < PRETTY_LIMIT ? prettyJson(text, paint) : null;
  await writeOut(output, pretty === null ? text : `${pretty}\n`);
  await printText(response, output, new TextDecoder());
}

async function printText(
  response: HTTPResponse,
  output: Output,
  decoder: InstanceType<typeof TextDecoder>,
): Promise<void> {
  for await (const piece of response) {
    if (piece.includes(0)) {
      await writeOut(output, "(binary data: write it to a file with -o FILE)\n");
      response.close();
      return;
    }
    await writeOut(output, harmless(decoder.decode(piece, { stream: true })));
  }
  await writeOut(output, harmless(decoder.decode()));
}

function charset(type: string): string {
  const name = /charset="?([\w-]+)/i.exec(type)?.[1] ?? "utf-8";
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return "utf-8";
  }
}
