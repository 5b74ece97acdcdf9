/** Smaller real proxies on free loopback ports: tinyproxy, haproxy and microsocks. See also `squid.ts` and `dante.ts`. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandOf, type Daemon, startDaemon } from "./daemon.ts";

/** Who may use a proxy. */
export interface ProxyUser {
  user: string;
  password: string;
}

/** A running proxy. */
export interface RunningProxy extends AsyncDisposable {
  readonly port: number;
  /** What it has logged of its clients; with `count`, waits (up to 5 s) until there are that many lines. */
  log(count?: number): Promise<string[]>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

/**
 * tinyproxy: forwards and tunnels, closes after each forwarded request. Logs the request line of each request.
 * With `auth`, asks for Basic credentials.
 */
export async function startTinyproxy(options: { auth?: ProxyUser } = {}): Promise<RunningProxy> {
  const { auth } = options;
  const daemon = await startDaemon({
    name: "tinyproxy",
    ports: 1,
    errorLog: "tinyproxy.log",
    prepare: async (folder, [port]) => {
      await writeFile(
        join(folder, "tinyproxy.conf"),
        `Listen 127.0.0.1
Port ${port}
Timeout 60
MaxClients 100
LogFile "${folder}/tinyproxy.log"
LogLevel Connect
PidFile "${folder}/tinyproxy.pid"
${auth === undefined ? "" : `BasicAuth ${auth.user} ${auth.password}`}
`,
      );
      return [commandOf("tinyproxy"), "-d", "-c", join(folder, "tinyproxy.conf")];
    },
  });
  return asProxy(daemon, "tinyproxy.log", /Request \(file descriptor \d+\): (.*)/);
}

/** haproxy: takes TLS from its clients and passes what is inside to a plain proxy. Logs each connection as it ends. */
export async function startHaproxy(options: {
  tls: { cert: string; key: string };
  /** The plain proxy's port on 127.0.0.1. */
  target: number;
}): Promise<RunningProxy> {
  const { tls, target } = options;
  const daemon = await startDaemon({
    name: "haproxy",
    ports: 1,
    prepare: async (folder, [port]) => {
      await writeFile(join(folder, "both.pem"), `${tls.cert}\n${tls.key}\n`, { mode: 0o600 });
      await writeFile(
        join(folder, "haproxy.cfg"),
        `global
  maxconn 200
  log stderr format raw daemon
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port} ssl crt ${folder}/both.pem
  log global
  log-format "connection %ci:%cp %U up %B down"
  default_backend proxy
backend proxy
  server plain 127.0.0.1:${target}
`,
      );
      return [commandOf("haproxy"), "-db", "-f", join(folder, "haproxy.cfg")];
    },
  });
  // What sent nothing was no client.
  return asProxy(daemon, "error.log", /^connection (.* [1-9]\d* up .*)/);
}

/** microsocks: SOCKS 5; with `auth`, by user name and password. Logs the target of each connection. */
export async function startMicrosocks(options: { auth?: ProxyUser } = {}): Promise<RunningProxy> {
  const { auth } = options;
  const daemon = await startDaemon({
    name: "microsocks",
    ports: 1,
    prepare: (_folder, [port]) => [
      commandOf("microsocks"),
      ...["-i", "127.0.0.1", "-p", String(port)],
      ...(auth === undefined ? [] : ["-u", auth.user, "-P", auth.password]),
    ],
  });
  return asProxy(daemon, "error.log", /connected to (.*)/);
}

/** A daemon as a proxy: `entry` finds the lines of its log that are about clients, and captures what they say. */
export function asProxy(daemon: Daemon, logFile: string, entry: RegExp): RunningProxy {
  return {
    port: daemon.ports[0]!,
    log: async (count) => {
      const lines = await daemon.lines(logFile, count, (line) => entry.test(line));
      return lines.map((line) => entry.exec(line)?.[1] ?? "");
    },
    stop: () => daemon.stop(),
    [Symbol.asyncDispose]: () => daemon.stop(),
  };
}
