/**
 * A real squid on free loopback ports: it forwards, tunnels to any port, asks for credentials if told to, and caches
 * nothing. squid writes a line of its access log when an exchange or a tunnel has ended.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chown, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandOf, startDaemon, WebDaemon } from "./daemon.ts";

const HELPERS = "/usr/lib/squid";

/** Whom it lets in, and how they prove it. */
export interface SquidAuth {
  scheme: "basic" | "digest";
  user: string;
  password: string;
  /** Default `squid`. */
  realm?: string;
}

/** How to start. */
export interface SquidOptions {
  /** Default: everybody may use it. */
  auth?: SquidAuth;
  /** PEM texts: with them there is an https port too (TLS between client and proxy). */
  tls?: { cert: string; key: string };
  /** Answers 403 to everybody. */
  deny?: boolean;
  /** Further lines of its configuration. */
  extraConfig?: string;
}

/** One line of the access log. */
export interface SquidLogEntry {
  /** The client's port, which tells connections apart. */
  connection: number;
  method: string;
  /** Status sent to the client. */
  status: number;
  /** An absolute URL, or `host:port` of a CONNECT. */
  target: string;
}

/** Starts squid: `await using squid = await startSquid()`. */
export async function startSquid(options: SquidOptions = {}): Promise<Squid> {
  const tls = options.tls !== undefined;
  const daemon = await startDaemon({
    name: "squid",
    ports: 2,
    listening: tls ? 2 : 1,
    errorLog: "cache.log",
    // Told to end, it takes two seconds; there is nothing that it has to put away.
    signal: "KILL",
    prepare: async (folder, ports) => {
      await writeFiles(folder, ports, options);
      return [commandOf("squid"), "-N", "-n", serviceName(ports), "-f", join(folder, "squid.conf")];
    },
    tidy: removeSharedMemory,
  });
  return new Squid(daemon, tls, "localhost");
}

/** A running squid. */
export class Squid extends WebDaemon {
  /** What it has logged; with `count`, waits (up to 5 s) until there are that many lines. */
  async accessLog(count = 0): Promise<SquidLogEntry[]> {
    // A connection that ended without a request (such as the one that waited for the port) has a line without method.
    const lines = await this.daemon.lines("access.log", count, (line) =>
      / [A-Z]+ \d{3} (?!error:)/.test(line),
    );
    return lines.map((line) => {
      const [, connection, method = "", status, target = ""] = /^(\d+) (\S+) (\d+) (.*)$/.exec(line) ?? [];
      return { connection: Number(connection), method, status: Number(status), target };
    });
  }
}

/** Its shared memory bears this name, so that two can run at once. */
function serviceName([port]: readonly number[]): string {
  return `urlpool${port}`;
}

async function removeSharedMemory(ports: readonly number[]): Promise<void> {
  const folder = "/dev/shm";
  const names = (await readdir(folder)).filter((name) => name.startsWith(`${serviceName(ports)}-`));
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

async function writeFiles(folder: string, ports: readonly number[], options: SquidOptions): Promise<void> {
  const { auth, tls } = options;
  const mode = 0o600;
  if (tls !== undefined) {
    await writeFile(join(folder, "cert.pem"), tls.cert);
    await writeFile(join(folder, "key.pem"), tls.key, { mode });
  }
  if (auth !== undefined) {
    await writeFile(join(folder, "passwords"), passwordLine(auth), { mode });
    await own(join(folder, "passwords"));
  }
  await writeFile(join(folder, "squid.conf"), configuration(folder, ports, options));
  await own(folder);
}

/** squid never works as root: started by it, it becomes the user `proxy`, who must be able to write here. */
async function own(path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const [uid, gid] = ["-u", "-g"].map((flag) =>
    Number(execFileSync("id", [flag, "proxy"], { encoding: "utf8" })),
  );
  await chown(path, uid!, gid!);
}

function passwordLine({ scheme, user, password, realm = "squid" }: SquidAuth): string {
  const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
  if (scheme === "basic") return `${user}:${md5(password)}\n`;
  return `${user}:${realm}:${md5(`${user}:${realm}:${password}`)}\n`;
}

function configuration(folder: string, [port, httpsPort]: readonly number[], options: SquidOptions): string {
  const { auth, tls, deny = false, extraConfig = "" } = options;
  return `
http_port 127.0.0.1:${port}
${tls === undefined ? "" : `https_port 127.0.0.1:${httpsPort} tls-cert=${folder}/cert.pem tls-key=${folder}/key.pem`}
visible_hostname squid.test
cache_effective_user proxy
pid_filename none
coredump_dir ${folder}
cache_log ${folder}/cache.log
logformat entries %>p %rm %>Hs %ru
access_log stdio:${folder}/access.log logformat=entries
cache_store_log none
netdb_filename none
pinger_enable off
cache deny all
cache_mem 1 MB
sslproxy_session_cache_size 0
max_filedescriptors 1024
${extraConfig}
${auth === undefined ? "" : authConfig(folder, auth)}
http_access ${deny ? "deny" : "allow"} ${auth === undefined ? "all" : "known"}
http_access deny all
`;
}

function authConfig(folder: string, { scheme, realm = "squid" }: SquidAuth): string {
  const helper = scheme === "basic" ? "basic_ncsa_auth" : "digest_file_auth -c";
  return `auth_param ${scheme} program ${HELPERS}/${helper} ${folder}/passwords
auth_param ${scheme} children 1 startup=1
auth_param ${scheme} realm ${realm}
acl known proxy_auth REQUIRED`;
}
