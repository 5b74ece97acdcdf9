/** Which names of files are taken: no two URLs write one file, and no file stands where a folder must be. */

import { fileTooLong, pathOf, safeName } from "../names.ts";
import { IdSet, idOf } from "./id-set.ts";

/** The names of one folder. */
export class NamesTaken {
  readonly #files = new IdSet();
  readonly #folders = new IdSet();

  /** A relative path for a URL, or the one that the user wants, which no other has. */
  reserve(url: string, wanted: string | undefined, key: string): string {
    const path =
      wanted === undefined
        ? pathOf(url)
        : wanted
            .split(/[/\\]/)
            .filter((part) => part !== "")
            .map(safeName)
            .join("/");
    if (!fileTooLong(path) && this.#take(path)) return path;
    return this.spare(url, key);
  }

  /** Another one, where the first cannot be used: directly in the host's folder, by the key. */
  spare(url: string, key: string): string {
    const [host, ...parts] = pathOf(url).split("/") as [string, ...string[]];
    const extension = /\.[A-Za-z\d]{1,8}$/.exec(parts[parts.length - 1] ?? "")?.[0] ?? "";
    const path = `${host}/~${key}${extension}`;
    this.#take(path);
    return path;
  }

  /** A name from an earlier run. */
  note(path: string): void {
    this.#take(path);
  }

  #take(path: string): boolean {
    const parts = lowered(path).split("/");
    const folders = parts.slice(1).map((_, index) => idOf(parts.slice(0, index + 1).join("/")));
    const file = idOf(parts.join("/"));
    if (this.#files.has(file) || this.#folders.has(file)) return false;
    if (folders.some((folder) => this.#files.has(folder))) return false;
    this.#files.add(file);
    for (const folder of folders) this.#folders.add(folder);
    return true;
  }
}

/** Some file systems do not tell upper from lower case. */
function lowered(path: string): string {
  return path.normalize("NFC").toLowerCase();
}
