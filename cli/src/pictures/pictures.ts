/** `--har` and `--waterfall`: what happened, written to files at the end. */

import { writeFile } from "node:fs/promises";
import type { PoolManager } from "urlpool";
import { EXIT, Failure } from "../failure.ts";
import type { Values } from "../options/spec.ts";

/** Listens until it writes. */
export interface Pictures {
  /** Writes the files that were asked for. */
  write(): Promise<void>;
}

/** Begins to listen to what `manager` does, as the options ask for it. */
export async function startPictures(
  values: Pick<Values, "har" | "waterfall">,
  manager: PoolManager,
): Promise<Pictures> {
  const pictures: Pictures[] = [];
  if (values.waterfall !== undefined) pictures.push(await startWaterfall(values.waterfall));
  if (values.har !== undefined) pictures.push(await startHar(values.har, manager));
  return {
    write: async () => {
      for (const picture of pictures) await picture.write();
    },
  };
}

async function startWaterfall(path: string): Promise<Pictures> {
  const [{ Recorder }, { waterfall }] = await Promise.all([
    import("./recorder.ts"),
    import("./waterfall.ts"),
  ]);
  const recorder = new Recorder();
  return {
    write: async () => {
      recorder.stop();
      await writePicture(path, waterfall(recorder.bars, recorder.dropped));
    },
  };
}

async function startHar(path: string, manager: PoolManager): Promise<Pictures> {
  const { recordHar } = await import("urlpool/har");
  const recorder = recordHar(manager);
  return {
    write: async () => {
      recorder.stop();
      await writePicture(path, `${JSON.stringify(recorder, null, 2)}\n`);
    },
  };
}

async function writePicture(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new Failure(`cannot write ${path}: ${(cause as Error).message}`, EXIT.write, { cause });
  }
}
