/** The smoke that `npm run test:runtimes` tries Bun and Deno with is true of Node. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { startServers } from "./servers.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const skip = existsSync(join(ROOT, "dist/index.js")) ? false : "the package is not built";

interface Run {
  layOut(root: string, folder: string): void;
  runSmoke(folder: string, where: string, command: string): Promise<{ code: number | null; lines: string[] }>;
}

it("all behaviours of the smoke are right, and it ends by itself", { skip }, async () => {
  const { layOut, runSmoke } = (await import(pathToFileURL(join(ROOT, "test/runtimes/run.mjs")).href)) as Run;
  using folder = new TemporaryFolder();
  layOut(ROOT, folder.root);
  await using servers = await startServers(folder.root);
  const { code, lines } = await runSmoke(folder.root, servers.where, process.execPath);
  assert.deepEqual(
    lines.filter((line) => !line.startsWith("ok ")),
    [`${lines.length - 1} of ${lines.length - 1}`],
  );
  assert.equal(code, 0);
  assert.ok(lines.length > 60);
});
