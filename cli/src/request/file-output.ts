/** A file that appears when it is complete. */

import { type FileHandle, lstat, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { EXIT, Failure } from "../failure.ts";

/**
 * Writes `pieces` to `<path>.part`, and renames it at the end; folders on the way are made. What is there and no ordinary
 * file, such as `/dev/null` or a pipe, is written to directly. Gives the bytes written.
 */
export async function writeFileWhole(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  const special = await isSpecial(path);
  const place = special ? path : `${path}.part`;
  const file = await writing(path, async () => {
    if (!special) await mkdir(dirname(path), { recursive: true });
    return await open(place, "w");
  });
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      await writing(path, () => writeAll(file, piece));
      bytes += piece.length;
    }
    await file.close();
    if (!special) await writing(path, () => rename(place, path));
  } catch (error) {
    await file.close().catch(() => {});
    if (!special) await rm(place, { force: true });
    throw error;
  }
  return bytes;
}

/** Where a path leads that may be a link: the link stays, its file is written. */
export async function followed(path: string): Promise<string> {
  const found = await lstat(path).catch(() => null);
  return found?.isSymbolicLink() ? await realpath(path).catch(() => path) : path;
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
}

/** An error of the file system as one of the command. */
async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    throw new Failure(`cannot write ${path}: ${(cause as Error).message}`, EXIT.write, { cause });
  }
}

/** Whether there is something at `path` that is neither file nor folder. */
export async function isSpecial(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && !found.isFile() && !found.isDirectory();
}
