/**
 * Real HTTP/2 servers on loopback, each from its Debian package with the least configuration. All serve `/small.txt` and
 * `/big.bin` (1 MiB) over TLS with ALPN; what they do with an upload is theirs.
 */

import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PoolManagerOptions } from "../../src/index.ts";
import { type Identity, makeAuthority } from "./certificates.ts";
import { commandOf, type Daemon, startDaemon } from "./daemon.ts";

/** Content of `/small.txt`. */
export const SMALL = "thirty-four octets, no more no less";

/** Content of `/big.bin`. */
export const BIG: Buffer = Buffer.alloc(1_048_576, "0123456789abcdef");

/** A kind of server. */
export interface H2Server {
  readonly name: string;
  /** Programs that it needs. */
  readonly commands: readonly string[];
  /** Where uploads go, with which status those of known length and those of unknown length are answered. */
  readonly upload: {
    readonly path: string;
    readonly statuses: readonly [known: number, unknown: number];
    readonly echoes: boolean;
  };
  /** What has it end in peace: it says GOAWAY, and waits for the answers that are under way. */
  readonly ending: NodeJS.Signals;
  /** Whether the number of streams can be set; lighttpd's is 8, and there is nothing to set. */
  readonly limits: boolean;
  /** `streams`: open at once on a connection, where that can be set. */
  start(tls: Identity, options?: { streams?: number }): Promise<Daemon>;
}

/** Files in a daemon's folder. */
interface Site {
  readonly folder: string;
  readonly port: number;
  readonly streams: number | null;
}

type Prepared = Promise<readonly string[]> | readonly string[];

type ServerFacts = Pick<H2Server, "name" | "commands" | "upload" | "ending" | "limits">;

function server(facts: ServerFacts, prepare: (site: Site) => Prepared): H2Server {
  return {
    ...facts,
    start: (tls, { streams = null } = {}) =>
      startDaemon({
        name: facts.name,
        ports: 1,
        prepare: async (folder, [port]) => {
          await writeSite(folder, tls);
          return await prepare({ folder, port: port!, streams });
        },
      }),
  };
}

async function writeSite(folder: string, { cert, key }: Identity): Promise<void> {
  const www = join(folder, "www");
  // Some read their files as somebody else.
  await chmod(folder, 0o755);
  await mkdir(www, { mode: 0o755 });
  await writeFile(join(www, "small.txt"), SMALL);
  await writeFile(join(www, "big.bin"), BIG);
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key);
  await writeFile(join(folder, "both.pem"), `${cert}\n${key}`);
}

/** Options of nginx that tests vary. */
export interface NginxH2Options {
  /** Requests until it says GOAWAY. Default 1000, as in its stock configuration. */
  keepAliveRequests?: number;
  /** Whether TLS is left out: HTTP/2 by prior knowledge. */
  plain?: boolean;
}

/** nginx, with options. */
export function nginxH2({ keepAliveRequests = 1000, plain = false }: NginxH2Options = {}): H2Server {
  return server(
    {
      name: "nginx-h2",
      commands: ["nginx"],
      upload: { path: "/upload", statuses: [200, 200], echoes: false },
      ending: "SIGQUIT",
      limits: true,
    },
    async ({ folder, port, streams }) => {
      const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
      const tls = plain ? "" : `ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;`;
      await writeFile(
        join(folder, "nginx.conf"),
        `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 256; }
http {
  ${kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n  ")}
  access_log off; client_max_body_size 0; keepalive_requests ${keepAliveRequests};
  server {
    listen 127.0.0.1:${port} ${plain ? "" : "ssl "}http2; http2_max_concurrent_streams ${streams ?? 128};
    ${tls}
    root ${folder}/www;
    location /upload { return 200 "taken"; }
    location /say/ { return 200 "$request_uri"; }
  }
}
`,
      );
      return [commandOf("nginx"), "-p", folder, "-c", join(folder, "nginx.conf")];
    },
  );
}

const nghttpd = server(
  {
    name: "nghttpd",
    commands: ["nghttpd"],
    upload: { path: "/upload", statuses: [200, 200], echoes: true },
    ending: "SIGTERM",
    limits: true,
  },
  ({ folder, port, streams }) => [
    commandOf("nghttpd"),
    "--echo-upload",
    "--trailer=x-trailer: yes",
    `--max-concurrent-streams=${streams ?? 100}`,
    "-d",
    join(folder, "www"),
    "-a",
    "127.0.0.1",
    String(port),
    join(folder, "key.pem"),
    join(folder, "cert.pem"),
  ],
);

const h2o = server(
  {
    name: "h2o",
    commands: ["h2o"],
    upload: { path: "/small.txt", statuses: [405, 405], echoes: false },
    ending: "SIGTERM",
    limits: false,
  },
  async ({ folder, port }) => {
    await writeFile(
      join(folder, "h2o.conf"),
      `${process.getuid?.() === 0 ? "user: root\n" : ""}num-threads: 1
listen: { host: 127.0.0.1, port: ${port}, ssl: { certificate-file: ${folder}/cert.pem, key-file: ${folder}/key.pem } }
hosts: { "default": { paths: { "/": { file.dir: ${folder}/www } } } }
pid-file: ${folder}/h2o.pid
`,
    );
    return [commandOf("h2o"), "-c", join(folder, "h2o.conf")];
  },
);

const apache = server(
  {
    name: "apache",
    commands: ["apache2"],
    upload: { path: "/small.txt", statuses: [200, 200], echoes: false },
    ending: "SIGWINCH",
    limits: true,
  },
  async ({ folder, port, streams }) => {
    const modules = ["mpm_event", "authz_core", "ssl", "http2"];
    await writeFile(
      join(folder, "apache.conf"),
      `ServerRoot ${folder}
PidFile ${folder}/httpd.pid
ErrorLog ${folder}/error.log
ServerName localhost
User www-data
Group www-data
Listen 127.0.0.1:${port}
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
DefaultRuntimeDir ${folder}
Mutex file:${folder}
Protocols h2 http/1.1
H2MaxSessionStreams ${streams ?? 100}
SSLEngine on
SSLCertificateFile ${folder}/cert.pem
SSLCertificateKeyFile ${folder}/key.pem
DocumentRoot ${folder}/www
<Directory ${folder}/www>
Require all granted
</Directory>
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
`,
    );
    return [commandOf("apache2"), "-D", "FOREGROUND", "-f", join(folder, "apache.conf")];
  },
);

const caddy = server(
  {
    name: "caddy",
    commands: ["caddy"],
    upload: { path: "/small.txt", statuses: [200, 200], echoes: false },
    ending: "SIGTERM",
    limits: false,
  },
  async ({ folder, port }) => {
    await writeFile(
      join(folder, "Caddyfile"),
      `{
  admin off
  auto_https off
  storage file_system ${folder}/storage
}
https://127.0.0.1:${port}, https://localhost:${port} {
  tls ${folder}/cert.pem ${folder}/key.pem
  root * ${folder}/www
  file_server
}
`,
    );
    return [commandOf("caddy"), "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")];
  },
);

const lighttpd = server(
  {
    name: "lighttpd",
    commands: ["lighttpd"],
    upload: { path: "/small.txt", statuses: [200, 411], echoes: false },
    ending: "SIGINT",
    limits: true,
  },
  async ({ folder, port }) => {
    await writeFile(
      join(folder, "lighttpd.conf"),
      `server.document-root = "${folder}/www"
server.bind = "127.0.0.1"
server.port = ${port}
server.modules += ( "mod_openssl" )
server.feature-flags += ( "server.h2proto" => "enable" )
ssl.engine = "enable"
ssl.pemfile = "${folder}/both.pem"
mimetype.assign = ( ".txt" => "text/plain" )
server.errorlog = "${folder}/error.log"
`,
    );
    return [commandOf("lighttpd"), "-D", "-f", join(folder, "lighttpd.conf")];
  },
);

/** HAProxy needs something to pass requests to: an answer of its own making, and nothing as large as a file. */
const haproxy = server(
  {
    name: "haproxy",
    commands: ["haproxy"],
    upload: { path: "/upload", statuses: [200, 200], echoes: false },
    ending: "SIGUSR1",
    limits: true,
  },
  async ({ folder, port, streams }) => {
    await writeFile(
      join(folder, "haproxy.cfg"),
      `global
  nbthread 1
  tune.bufsize 1100000
  tune.h2.max-concurrent-streams ${streams ?? 100}
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend f
  bind 127.0.0.1:${port} ssl crt ${folder}/both.pem alpn h2,http/1.1
  http-request return status 200 content-type text/plain file ${folder}/www/small.txt if { path /small.txt }
  http-request return status 200 content-type text/plain file ${folder}/www/big.bin if { path /big.bin }
  http-request wait-for-body time 10s if { path /upload }
  http-request return status 200 content-type text/plain string taken
`,
    );
    return [commandOf("haproxy"), "-db", "-f", join(folder, "haproxy.cfg")];
  },
);

const hypercorn = server(
  {
    name: "hypercorn",
    commands: ["hypercorn"],
    upload: { path: "/upload", statuses: [200, 200], echoes: true },
    ending: "SIGTERM",
    limits: true,
  },
  async ({ folder, port, streams }) => {
    await writeFile(
      join(folder, "app.py"),
      `async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    path = scope["path"].lstrip("/")
    if path in ("small.txt", "big.bin"):
        with open("${folder}/www/" + path, "rb") as file:
            body = file.read()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
`,
    );
    await writeFile(
      join(folder, "hypercorn.toml"),
      `h2_max_concurrent_streams = ${streams ?? 100}\ngraceful_timeout = 1\n`,
    );
    return [
      commandOf("hypercorn"),
      "--config",
      "hypercorn.toml",
      "--certfile",
      join(folder, "cert.pem"),
      "--keyfile",
      join(folder, "key.pem"),
      "-b",
      `127.0.0.1:${port}`,
      "app:app",
    ];
  },
);

/** In a process of its own: a crash of Node's engine must not be the tests'. */
const node = server(
  {
    name: "node-http2",
    commands: [],
    upload: { path: "/echo", statuses: [200, 200], echoes: true },
    ending: "SIGTERM",
    limits: true,
  },
  async ({ folder, port, streams }) => {
    await copyFile(new URL("./node-h2-server.js", import.meta.url), join(folder, "server.mjs"));
    return [process.execPath, "server.mjs", String(port), String(streams ?? 100)];
  },
);

/** One of each. */
export const H2_SERVERS: readonly H2Server[] = [
  nginxH2(),
  nghttpd,
  h2o,
  apache,
  caddy,
  lighttpd,
  haproxy,
  hypercorn,
  node,
];

/** The server of this name. */
export function h2Server(name: string): H2Server {
  return H2_SERVERS.find((each) => each.name === name)!;
}

/** A server's certificate, and the options of a client that trusts it. */
export async function identity(): Promise<{ cert: string; key: string; options: PoolManagerOptions }> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
  return { ...tls, options: { http2: true, caCertData: authority.cert, retries: false } };
}

/** `BIG`, from a source. */
export async function* pieces(): AsyncGenerator<Buffer> {
  for (let at = 0; at < BIG.length; at += 50_000) yield BIG.subarray(at, at + 50_000);
}

/** A server that is up, and what its clients need to know. */
export interface RunningH2Server {
  readonly daemon: Daemon;
  /** `https://localhost:port`, without a slash at its end. */
  readonly url: string;
  readonly options: PoolManagerOptions;
}

/** Starts servers at once; by their names. */
export async function startAll(
  servers: readonly H2Server[],
  settings: { streams?: number } = {},
): Promise<ReadonlyMap<string, RunningH2Server>> {
  const { options, ...tls } = await identity();
  const start = async (server: H2Server): Promise<[string, RunningH2Server]> => {
    const daemon = await server.start(tls, settings);
    return [server.name, { daemon, url: `https://localhost:${daemon.ports[0]}`, options }];
  };
  return new Map(await Promise.all(servers.map(start)));
}
