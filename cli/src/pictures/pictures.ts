/** `--waterfall`: what happened, drawn into a file at the end. */

import { writeFile } from "node:fs/promises";
import { EXIT, Failure } from "../failure.ts";
import type { Values } from "../options/table.ts";

/** Listens until it writes. */
export interface Pictures {
  /** Writes the files that were asked for. */
  write(): Promise<void>;
}

/** Begins to listen, if the options ask for a picture. */
export async function startPictures(values: Pick<Values, "waterfall">): Promise<Pictures> {
  const { waterfall: path } = values;
  if (path === undefined) return { write: async () => {} };
  const [{ Recorder }, { waterfall }] = await Promise.all([
    import("./recorder.ts"),
    import("./waterfall.ts"),
  ]);
  const recorder = new Recorder();
  return {
    write: async () => {
      recorder.stop();
      try {
        await writeFile(path, waterfall(recorder.bars, recorder.dropped));
      } catch (cause) {
        throw new Failure(`cannot write ${path}: ${(cause as Error).message}`, EXIT.write, { cause });
      }
    },
  };
}
