/**
 * A real nginx on free loopback ports, with everything it writes in a temporary folder.
 *
 * - `/` (and any other path): a small text of known length
 * - `/echo...`: the request's method and URI, as text
 * - `/gzip`: 20,000 bytes of text, compressed for clients that accept it
 * - `/chunked`: the small text without a length
 * - `/big`: a file of the given size
 * - `/redirect`: 302 to `/`
 * - `/status/NNN`: a bare answer with that status (204, 304, 404, 500, 503)
 * - `/close`: the small text, then the connection is closed
 */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandOf, skipWithout, startDaemon, WebDaemon } from "./daemon.ts";

/** Content of `/`. */
export const SMALL_TEXT = "Hello from nginx\n";

/** Content of `/gzip`. */
export const GZIP_TEXT: string = "All work and no play makes\n".repeat(800).slice(0, 20_000);

/** How to start. */
export interface NginxOptions {
  /** PEM texts: with them there is an HTTPS port too. */
  tls?: { cert: string; key: string };
  /** Size in bytes of `/big`. Default 1 MiB. */
  bigSize?: number;
  /** Requests that one connection may carry. Default 1,000,000. */
  keepAliveRequests?: number;
  /** Milliseconds, in whole seconds, for which an idle connection is kept. Default 75,000. */
  keepAliveTimeout?: number;
  /** Lines put into each `server` block, such as further locations. */
  extraServerConfig?: string;
}

/** One line of the access log; nginx writes it when the answer has been sent. */
export interface NginxLogEntry {
  /** Number of the connection, unique in this nginx. */
  connection: number;
  /** Which request of its connection this was, from 1. */
  connectionRequests: number;
  scheme: string;
  method: string;
  uri: string;
  protocol: string;
  status: number;
  /** Body bytes sent. */
  bytes: number;
  userAgent: string;
}

/** The value of a test's `skip`; see {@link skipWithout}. */
export function skipWithoutNginx(): string | false {
  return skipWithout("nginx");
}

/** Starts nginx: `await using nginx = await startNginx()`. */
export async function startNginx(options: NginxOptions = {}): Promise<Nginx> {
  const daemon = await startDaemon({
    name: "nginx",
    ports: 2,
    listening: options.tls === undefined ? 1 : 2,
    // nginx complains about its configuration on standard error, and this is where it logs later.
    prepare: async (folder, ports) => {
      await writeFiles(folder, ports, options);
      return [commandOf("nginx"), "-p", folder, "-c", join(folder, "nginx.conf")];
    },
  });
  return new Nginx(daemon, options.tls !== undefined, "127.0.0.1");
}

/** A running nginx. */
export class Nginx extends WebDaemon {
  /** The log so far; with `count`, waits (up to 5 s) until it has that many lines. */
  async accessLog(count = 0): Promise<NginxLogEntry[]> {
    const lines = await this.daemon.lines("access.log", count);
    return lines.map((line) => JSON.parse(line) as NginxLogEntry);
  }

  /** Text of the error log. */
  errorLog(): Promise<string> {
    return this.daemon.read("error.log");
  }
}

async function writeFiles(folder: string, ports: readonly number[], options: NginxOptions): Promise<void> {
  const site = join(folder, "site");
  await mkdir(site);
  await writeFile(join(site, "small.txt"), SMALL_TEXT);
  await writeFile(join(site, "gzip.txt"), GZIP_TEXT);
  await writeFile(join(site, "big.bin"), Buffer.alloc(options.bigSize ?? 1_048_576, "0123456789abcdef"));
  if (options.tls !== undefined) {
    await writeFile(join(folder, "cert.pem"), options.tls.cert);
    await writeFile(join(folder, "key.pem"), options.tls.key, { mode: 0o600 });
  }
  await writeFile(join(folder, "nginx.conf"), configuration(folder, ports, options));
}

function configuration(folder: string, [port, httpsPort]: readonly number[], options: NginxOptions): string {
  const { keepAliveRequests = 1_000_000, keepAliveTimeout = 75_000, tls, extraServerConfig = "" } = options;
  const locations = `${serverConfig(folder)}\n${extraServerConfig}`;
  const https = `server {
    listen 127.0.0.1:${httpsPort} ssl;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    ${locations}
  }`;
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log info;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 1024; }
http {
  ${tempPaths(folder)}
  log_format entries escape=json '${logFormat()}';
  access_log ${folder}/access.log entries;
  default_type text/plain;
  keepalive_requests ${keepAliveRequests};
  keepalive_timeout ${Math.round(keepAliveTimeout / 1000)}s;
  client_max_body_size 0;
  lingering_close off;
  server {
    listen 127.0.0.1:${port};
    ${locations}
  }
  ${tls === undefined ? "" : https}
}
`;
}

function serverConfig(folder: string): string {
  return `root ${folder}/site;
    location / { try_files /small.txt =404; }
    location /echo { return 200 "$request_method $request_uri"; }
    location = /gzip { gzip on; gzip_types *; try_files /gzip.txt =404; }
    location = /chunked { ssi on; ssi_types *; try_files /small.txt =404; }
    location = /big { try_files /big.bin =404; }
    location = /redirect { return 302 /; }
    location = /close { keepalive_timeout 0; try_files /small.txt =404; }
    ${[204, 304, 404, 500, 503].map((status) => `location = /status/${status} { return ${status}; }`).join("\n    ")}`;
}

function tempPaths(folder: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n  ");
}

function logFormat(): string {
  const numbers = { connection: "connection", connectionRequests: "connection_requests", status: "status" };
  const texts = {
    scheme: "scheme",
    method: "request_method",
    uri: "request_uri",
    protocol: "server_protocol",
  };
  const fields = [
    ...Object.entries({ ...numbers, bytes: "body_bytes_sent" }).map(([key, name]) => `"${key}":$${name}`),
    ...Object.entries({ ...texts, userAgent: "http_user_agent" }).map(([key, name]) => `"${key}":"$${name}"`),
  ];
  return `{${fields.join(",")}}`;
}
