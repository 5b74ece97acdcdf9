/** The origin: nginx in a process of its own, with a throw-away certificate, on free ports of the loopback network. */

import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { ORIGIN_CORE, spawnOn } from "./child.mjs";
import { hostAddress } from "./hosts.mjs";

// Else each upload costs nginx tens of thousands of page faults, and the clients wait for it.
const KEEP_MEMORY = { MALLOC_MMAP_MAX_: "0", MALLOC_TRIM_THRESHOLD_: "1000000000" };

/** Answered on path `/small`. */
export const SMALL_BODY = "hello world\n";
/** How many loopback addresses the origin listens on for the cases with many hosts. */
export const HOSTS = 1000;

// Daemons are in /usr/sbin, which is not on every user's PATH.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** The body of `/json-gzip` and `/json-br` when it is decoded, in bytes. */
export const JSON_SIZE = 200_000;

/** Starts nginx; its ports are probed a moment before, and so it gets three tries. */
export async function startOrigin() {
  const folder = mkdtempSync(join(tmpdir(), "urlpool-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const caFile = makeCertificate(folder);
  makeFiles(folder);
  for (let tries = 3; ; tries--) {
    const ports = { http: await freePort(), https: await freePort(), h2: await freePort() };
    writeFileSync(join(folder, "nginx.conf"), configuration(folder, ports));
    const nginx = spawnOn(ORIGIN_CORE, "nginx", ["-p", folder, "-c", "nginx.conf", "-e", "stderr"], {
      env: { ...env, ...KEEP_MEMORY },
      stdio: ["ignore", "inherit", tries > 1 ? "ignore" : "inherit"],
    });
    if (await answers(nginx, ports.http)) return describe(nginx, ports, caFile);
    nginx.kill("SIGKILL");
    if (tries === 1) throw new Error("nginx did not start");
  }
}

function describe(nginx, ports, caFile) {
  const version = spawnSync("nginx", ["-v"], { env, encoding: "utf8" }).stderr.trim();
  return {
    caFile,
    version: version.split(" ").at(-1),
    /** The URL of a path over `http`, `https`, or `h2`: https that has HTTP/2 too. */
    url: (scheme, path) => `${scheme === "h2" ? "https" : scheme}://127.0.0.1:${ports[scheme]}${path}`,
    cpuMs: () => cpuMs(nginx.pid),
    close: () => nginx.kill("SIGTERM"),
  };
}

/** CPU time of a process so far; the kernel counts in hundredths of a second. */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function makeCertificate(folder) {
  const certificate = join(folder, "certificate.pem");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", certificate];
  execFileSync("openssl", ["req", "-x509", ...curve, "-days", "2", ...names, ...files], { stdio: "ignore" });
  return certificate;
}

/** Large files, and JSON in two codings. */
function makeFiles(folder) {
  mkdirSync(join(folder, "files"));
  const file = (name, bytes) => writeFileSync(join(folder, "files", name), bytes);
  file("1m", randomBytes(1 << 20));
  file("100m", Buffer.alloc(100 << 20, "urlpool "));
  const rows = Array.from({ length: 4000 }, (_, id) => ({ id, name: `name ${id * 7919}`, on: id % 3 === 0 }));
  const json = JSON.stringify(rows).padEnd(JSON_SIZE).slice(0, JSON_SIZE);
  file("json.gz", gzipSync(json));
  file("json.br", brotliCompressSync(json, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }));
}

function configuration(folder, ports) {
  const small = `return 200 "${SMALL_BODY.replace("\n", "\\n")}";`;
  const addresses = ["127.0.0.1", ...Array.from({ length: HOSTS }, (_, index) => hostAddress(index))];
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(folder, "nginx.pid")};
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  default_type text/plain;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  keepalive_time 24h;
  ${temporary.map((name) => `${name}_temp_path ${join(folder, name)};`).join("\n  ")}
  server {
    ${addresses.map((address) => `listen ${address}:${ports.http} backlog=4096;`).join("\n    ")}
    listen 127.0.0.1:${ports.https} ssl backlog=4096;
    listen 127.0.0.1:${ports.h2} ssl http2 backlog=4096;
    ssl_certificate ${join(folder, "certificate.pem")};
    ssl_certificate_key ${join(folder, "key.pem")};
    location = /small { ${small} }
    # An id of its own in each head, as an application's answers have.
    location /d/ { add_header X-Request-Id $request_id; ${small} }
    location = /1m { alias ${join(folder, "files/1m")}; }
    location = /100m { alias ${join(folder, "files/100m")}; }
    location = /json-gzip { alias ${join(folder, "files/json.gz")}; add_header Content-Encoding gzip; }
    location = /json-br { alias ${join(folder, "files/json.br")}; add_header Content-Encoding br; }
    # Answers when all of the body has come.
    location = /upload {
      client_max_body_size 1g;
      client_body_buffer_size 128m;
      proxy_pass http://127.0.0.1:${ports.http}/small;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_method GET;
    }
    # About 180 bytes with the head, and so in two parts, a second apart.
    location = /slow { limit_rate 100; ${small} }
  }
}
`;
}

/** A port that nothing on 127.0.0.1 has. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether nginx answers within 5 s; false too when it ends. */
async function answers(nginx, port) {
  for (let tries = 100; tries > 0 && nginx.exitCode === null; tries--) {
    const response = await fetch(`http://127.0.0.1:${port}/small`).catch(() => undefined);
    if (response !== undefined) return (await response.text()) === SMALL_BODY;
    await sleep(50);
  }
  return false;
}
