/** `--har` and `--waterfall`: what happened, written to files at the end. */

import type { Values } from "../options/table.ts";

/** Listens until it writes. */
export interface Pictures {
  /** Writes the files that were asked for. */
  write(): Promise<void>;
}

const NONE: Pictures = { write: async () => {} };

/** Begins to listen, if the options ask for a picture. */
export async function startPictures(_values: Pick<Values, "har" | "waterfall">): Promise<Pictures> {
  return NONE;
}
