import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** nghttp2's load generator on one connection: a process of its own for each slice, on this one's core. */
export async function create({ url, connections }) {
  return {
    async slice({ slice }) {
      const before = childrenCpuMicros();
      const limits = [`--duration=${slice}ms`, "--clients=1", `--max-concurrent-streams=${connections}`];
      const { stdout } = await run("h2load", [...limits, url]);
      const finished = /^finished in .*?, ([\d.]+) req\/s/m.exec(stdout);
      const counts = /(\d+) succeeded, (\d+) failed/.exec(stdout);
      if (finished === null || counts === null || Number(counts[2]) > 0) throw new Error(stdout);
      return {
        value: Number(finished[1]),
        cpuMicros: (childrenCpuMicros() - before) / Number(counts[1]),
      };
    },
    async close() {},
  };
}

/** CPU time of the children that have ended; the kernel counts in hundredths of a second. */
function childrenCpuMicros() {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * 10_000;
}
