import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder that is removed with what is in it: `using folder = new TemporaryFolder()`. */
export class TemporaryFolder implements Disposable {
  readonly root: string = mkdtempSync(join(tmpdir(), "urlpool-"));

  /** Path of a name in it. */
  path(name: string): string {
    return join(this.root, name);
  }

  /** Writes a file, and gives its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Makes a symbolic link. */
  link(name: string, target: string): void {
    symlinkSync(target, this.path(name));
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
