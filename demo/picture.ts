/** What the demo did, as the command's waterfall. */

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Recorder } from "../cli/src/pictures/recorder.ts";
import { waterfall } from "../cli/src/pictures/waterfall.ts";
import { heading, print } from "./terminal.ts";

/** Draws what happens while `work` runs, and says where the picture is. */
export async function draw(work: () => Promise<void>): Promise<void> {
  const recorder = new Recorder();
  try {
    await work();
  } finally {
    recorder.stop();
  }
  // A folder of its own: in the shared one, another user's file or link may have a name that is known beforehand.
  const path = join(await mkdtemp(join(tmpdir(), "urlpool-")), "waterfall.svg");
  await writeFile(path, waterfall(recorder.bars, recorder.dropped));
  heading("The requests as a picture, a lane for each connection");
  print(`  ${path}`);
}
