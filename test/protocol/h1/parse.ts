/** Runs the response parser over bytes in given pieces and tells what came out, in a form that can be compared. */

import { HTTPError } from "../../../src/core/errors.ts";
import { ResponseParser } from "../../../src/protocol/h1/response-parser.ts";
import type { ResponseHead } from "../../../src/protocol/response-head.ts";

export interface Outcome {
  events: string[];
  body: string;
  trailers: string;
  done: boolean;
  persistent: boolean;
  leftover: string;
  error: string | null;
}

export interface ParseOptions {
  bodiless?: boolean;
  eof?: boolean;
  limit?: number;
}

/** Feeds `pieces` one after the other, then EOF if asked for. */
export function parse(pieces: readonly Buffer[], options: ParseOptions = {}): Outcome {
  const outcome: Outcome = {
    events: [],
    body: "",
    trailers: "",
    done: false,
    persistent: false,
    leftover: "",
    error: null,
  };
  const parser = new ResponseParser(
    {
      onInformational: (head) => void outcome.events.push(describe(head)),
      onHead: (head) => void outcome.events.push(describe(head)),
      onBody: (bytes, start, end) => {
        outcome.body += bytes.toString("latin1", start, end);
      },
    },
    options.limit ?? 65_536,
  );
  parser.start(options.bodiless ?? false);
  try {
    for (const piece of pieces) {
      const used = parser.execute(piece, 0, piece.length);
      outcome.leftover += piece.toString("latin1", used);
    }
    if (options.eof) parser.finish();
  } catch (error) {
    if (!(error instanceof HTTPError)) throw error;
    outcome.error = `${error.name}: ${error.message}`;
  }
  outcome.done = parser.done;
  outcome.persistent = parser.done && parser.persistent;
  outcome.trailers = parser.trailers?.text ?? "";
  return outcome;
}

function describe(head: ResponseHead): string {
  const text = head.toString();
  const fields = text.slice(text.indexOf("\r\n") + 2, -2);
  return `${head.version} ${head.status} ${JSON.stringify(head.reason)} ${JSON.stringify(fields)}`;
}

/** `bytes` cut at the given places. */
export function cut(bytes: Buffer, ...places: number[]): Buffer[] {
  const edges = [0, ...places, bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

/** Every byte a piece of its own. */
export function bytewise(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_byte, index) => bytes.subarray(index, index + 1));
}
