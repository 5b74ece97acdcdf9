/** Node in a process of its own. */

import { execFile } from "node:child_process";

/** What came of it. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node; what the tests were started with does not count. */
export function runNode(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<Outcome> {
  const { NODE_TEST_CONTEXT: _test, FORCE_COLOR: _color, ...inherited } = process.env;
  const clean = { ...inherited, NODE_OPTIONS: "", NODE_DEBUG: "", NO_COLOR: "1", ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env: clean, timeout: 45_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}
