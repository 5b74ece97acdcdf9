/**
 * A real dante on a free loopback port: SOCKS 4 and 5. It checks passwords against the system's users; nss_wrapper lets
 * it see users of our own instead, so that none has to be made.
 */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandOf, type DaemonPlan, skipWithout, startDaemon } from "./daemon.ts";
import { asProxy, type ProxyUser, type RunningProxy } from "./proxies.ts";

const LIBRARIES = "/usr/lib";
const WRAPPER = "libnss_wrapper.so";

/** The value of a test's `skip`; see {@link skipWithout}. */
export function skipWithoutDante(): string | false {
  const missing = skipWithout("danted", "openssl");
  if (missing !== false || process.env.CI === "true") return missing;
  return hasWrapper() ? false : `not installed: ${WRAPPER}`;
}

/** Starts dante; it logs each connection it makes, as `from -> to`. With `auth`, by user name and password only. */
export async function startDante(options: { auth?: ProxyUser } = {}): Promise<RunningProxy> {
  const { auth } = options;
  const plan: DaemonPlan = {
    name: "danted",
    ports: 1,
    errorLog: "dante.log",
    prepare: async (folder, [port]) => {
      await writeFile(join(folder, "danted.conf"), configuration(folder, port!, auth));
      if (auth !== undefined) await writeUser(folder, auth);
      const command = [commandOf("danted"), "-f", join(folder, "danted.conf"), "-p", join(folder, "pid")];
      return auth === undefined ? command : ["env", ...wrapped(folder), ...command];
    },
  };
  return asProxy(await startDaemon(plan), "dante.log", /pass\(\d+\): tcp\/connect \[: (.*)/);
}

function hasWrapper(): boolean {
  return readdirSync(LIBRARIES).some((folder) => existsSync(join(LIBRARIES, folder, WRAPPER)));
}

/** A user of the same ids as ours, whose password dante finds in a shadow file. */
async function writeUser(folder: string, { user, password }: ProxyUser): Promise<void> {
  const hash = execFileSync("openssl", ["passwd", "-6", "-stdin"], { input: password, encoding: "utf8" });
  const ids = `${process.getuid?.()}:${process.getgid?.()}`;
  await writeFile(join(folder, "passwd"), `${user}:x:${ids}:${user}:/:/bin/false\n`);
  await writeFile(join(folder, "shadow"), `${user}:${hash.trim()}:19000:0:99999:7:::\n`, { mode: 0o600 });
  await writeFile(join(folder, "group"), "");
}

function wrapped(folder: string): string[] {
  const files = ["passwd", "shadow", "group"];
  return [
    `LD_PRELOAD=${WRAPPER}`,
    ...files.map((name) => `NSS_WRAPPER_${name.toUpperCase()}=${join(folder, name)}`),
  ];
}

function configuration(folder: string, port: number, auth: ProxyUser | undefined): string {
  return `
logoutput: ${folder}/dante.log
internal: 127.0.0.1 port = ${port}
external: 127.0.0.1
clientmethod: none
socksmethod: ${auth === undefined ? "none" : "username"}
client pass {
  from: 127.0.0.0/8 to: 0.0.0.0/0
}
socks pass {
  from: 127.0.0.0/8 to: 0.0.0.0/0
  command: connect
  log: connect error
}
`;
}
