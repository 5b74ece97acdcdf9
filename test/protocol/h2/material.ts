/** The public test material beside the tests, in `test/data/http2`. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { FieldPair } from "../../kit/h2-frames.ts";

/** One block: octets in hexadecimal, number of its field list, and the table size that was acknowledged before it. */
type CorpusCase = readonly [wire: string, list: number, tableSize?: number];

/** The stories of 14 encoders. */
export interface HpackCorpus {
  readonly lists: readonly (readonly FieldPair[])[];
  readonly encoders: Readonly<Record<string, Readonly<Record<string, readonly CorpusCase[]>>>>;
}

/** Appendix C of RFC 7541. */
export interface AppendixC {
  readonly integers: readonly { section: string; prefix: number; value: number; wire: string }[];
  readonly stories: readonly {
    section: string;
    maxTableSize: number;
    cases: readonly {
      wire: string;
      headers: readonly FieldPair[];
      table: readonly FieldPair[];
      tableSize: number;
    }[];
  }[];
}

/** One frame; `error`: the codes that are allowed, or `null` if it is right. */
export interface FrameCase {
  readonly wire: string;
  readonly description: string;
  readonly error: readonly number[] | null;
  readonly frame: {
    readonly type: number;
    readonly flags: number;
    readonly length: number;
    readonly stream_identifier: number;
    readonly frame_payload: Readonly<Record<string, unknown>>;
  } | null;
}

const folder = join(findRoot(dirname(fileURLToPath(import.meta.url))), "test/data/http2");

export function hpackCorpus(): HpackCorpus {
  return JSON.parse(gunzipSync(readFileSync(join(folder, "hpack-test-case.json.gz"))).toString());
}

export function appendixC(): AppendixC {
  return JSON.parse(readFileSync(join(folder, "rfc7541-appendix-c.json"), "utf8"));
}

export function frameCorpus(): Readonly<Record<string, FrameCase>> {
  return JSON.parse(readFileSync(join(folder, "http2-frame-test-case.json"), "utf8"));
}

function findRoot(from: string): string {
  return existsSync(join(from, "package.json")) ? from : findRoot(dirname(from));
}
