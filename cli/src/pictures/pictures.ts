/** `--har` and `--waterfall`: what happened, written to files at the end. */

import { open } from "node:fs/promises";
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
  values: Pick<Values, "har" | "har-secrets" | "waterfall">,
  manager: PoolManager,
): Promise<Pictures> {
  const pictures: Pictures[] = [];
  if (values.waterfall !== undefined) pictures.push(await startWaterfall(values.waterfall));
  if (values.har !== undefined) pictures.push(await startHar(values.har, values["har-secrets"], manager));
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

async function startHar(path: string, secrets: boolean, manager: PoolManager): Promise<Pictures> {
  const { recordHar } = await import("urlpool/har");
  const recorder = recordHar(manager, { secrets });
  return {
    write: async () => {
      recorder.stop();
      await writePicture(path, `${JSON.stringify(recorder, null, 2)}\n`, secrets ? PRIVATE : USUAL);
    },
  };
}

/** Permissions of a file that only its owner may read, and of others. */
const PRIVATE = 0o600;
const USUAL = 0o666;

async function writePicture(path: string, text: string, mode: number = USUAL): Promise<void> {
  try {
    const file = await open(path, "w", mode);
    try {
      // A file that was there keeps its mode, and may be a device.
      if (mode === PRIVATE && (await file.stat()).isFile()) await file.chmod(PRIVATE);
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new Failure(`cannot write ${path}: ${(cause as Error).message}`, EXIT.write, { cause });
  }
}
