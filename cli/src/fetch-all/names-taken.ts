/** Which names of files are taken: no two URLs write one file, and no file stands where a folder must be. */

import { fileTooLong, pathOf, safeName } from "../names.ts";
import { IdSet, idOf } from "./id-set.ts";

/** Gives files their names. */
export interface Names {
  /** A relative path for a URL, or the one that the user wants. */
  reserve(url: string, wanted: string | undefined, key: string): string;
  /** Another one, where the first cannot be used. */
  spare(url: string, key: string): string;
}

/** Names that are different without anybody knowing the others: each has the key of its URL. */
export class NamesByKey implements Names {
  reserve(url: string, wanted: string | undefined, key: string): string {
    if (wanted !== undefined) return safePath(wanted);
    const path = pathOf(url);
    const extension = extensionOf(path);
    const name = `${path.slice(0, path.length - extension.length)}~${key}${extension}`;
    return fileTooLong(name) ? this.spare(url, key) : name;
  }

  spare(url: string, key: string): string {
    return sparePath(url, key);
  }
}

/** The names of one folder. */
export class NamesTaken implements Names {
  readonly #files = new IdSet();
  readonly #folders = new IdSet();

  /** One that no other URL has. */
  reserve(url: string, wanted: string | undefined, key: string): string {
    const path = wanted === undefined ? pathOf(url) : safePath(wanted);
    return !fileTooLong(path) && this.#take(path) ? path : this.spare(url, key);
  }

  spare(url: string, key: string): string {
    const path = sparePath(url, key);
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

/** Directly in the host's folder, by the key. */
function sparePath(url: string, key: string): string {
  const path = pathOf(url);
  return `${path.split("/")[0]}/~${key}${extensionOf(path)}`;
}

function extensionOf(path: string): string {
  return /[^/](\.[A-Za-z\d]{1,8})$/.exec(path)?.[1] ?? "";
}

function safePath(wanted: string): string {
  return wanted
    .split(/[/\\]/)
    .filter((part) => part !== "")
    .map(safeName)
    .join("/");
}
