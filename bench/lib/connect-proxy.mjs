/** tinyproxy on the origin's core; its log counts the tunnels. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ORIGIN_CORE, spawnOn } from "./child.mjs";
import { cpuMs, freePort } from "./origin.mjs";

/** Starts it on a free port of the loopback network. */
export async function startConnectProxy() {
  const folder = mkdtempSync(join(tmpdir(), "urlpool-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const [log, file] = [join(folder, "log"), join(folder, "tinyproxy.conf")];
  const lines = ["Listen 127.0.0.1", `Port ${port}`, "MaxClients 500", "LogLevel Connect"];
  writeFileSync(file, `${lines.join("\n")}\nLogFile "${log}"\n`);
  const proxy = spawnOn(ORIGIN_CORE, "tinyproxy", ["-d", "-c", file], { stdio: "ignore" });
  for (let tries = 100; !(await listens(port)); tries--) {
    if (tries === 0 || proxy.exitCode !== null) throw new Error("tinyproxy did not start");
    await sleep(50);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    tunnels: () => readFileSync(log, "latin1").split(" CONNECT ").length - 1,
    cpuMs: () => cpuMs(proxy.pid),
    close: () => proxy.kill("SIGKILL"),
  };
}

async function listens(port) {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
