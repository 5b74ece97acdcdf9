/** How the methods connect: redirects, repeats, TLS, names, sockets, proxies. */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { encryptKey, makeAuthority } from "../../../test/kit/certificates.ts";
import { type HttpHandler, startHttp } from "../../../test/kit/http-origin.ts";
import { run, temporaryFolder } from "../kit.ts";

describe("connections", { concurrency: 2 }, () => {
  it("redirects are followed with -L only, and so many", async () => {
    const handler: HttpHandler = ({ target }) => {
      const count = Number(target.slice(1));
      return count === 0 ? "end" : { status: 302, headers: { Location: `/${count - 1}` }, body: "moved" };
    };
    await using origin = await startHttp(handler);
    assert.equal((await run(["get", `${origin.url}/2`])).text, "moved");
    assert.equal((await run(["get", "-L", `${origin.url}/2`])).text, "end");
    assert.equal((await run(["get", "-L", "--max-redirs", "1", `${origin.url}/2`])).code, 47);
  });

  it("--retry repeats what may pass, and nothing is repeated without", async () => {
    const answers = [503, 500, 200];
    const handler =
      (statuses: number[]): HttpHandler =>
      () => ({ status: statuses.shift() ?? 200, body: "x" });
    await using origin = await startHttp(handler(answers));
    assert.equal(
      (await run(["get", "-w", "%{http_code} %{num_retries}", "-o", "/dev/null", "--retry", "2", origin.url]))
        .text,
      "200 2",
    );
    await using other = await startHttp(() => ({
      status: 503,
      headers: { "Retry-After": "9" },
      body: "busy",
    }));
    const { text, code } = await run(["get", other.url]);
    assert.deepEqual([text, code, other.received.length], ["busy", 0, 1]);
  });

  it("certificates are verified, unless -k or --cacert say how", async () => {
    await using folder = await temporaryFolder();
    const authority = await makeAuthority();
    const identity = await authority.issue({ names: ["localhost"] });
    await using origin = await startHttp(() => "safe", { tls: { cert: identity.cert, key: identity.key } });
    const url = `https://localhost:${origin.port}/`;
    const ca = join(folder.path, "ca.pem");
    await writeFile(ca, authority.cert);
    assert.equal((await run(["get", url])).code, 35);
    const insecure = await run(["get", "-k", url]);
    assert.deepEqual([insecure.text, insecure.err], ["safe", ""]);
    const verbose = await run(["get", "-v", "--cacert", ca, url]);
    assert.equal(verbose.text, "safe");
    assert.match(verbose.err, /connect [\d.]+ ms, tls [\d.]+ ms/);
  });

  it("-E shows a certificate: with its key, with --key, with a password", async () => {
    await using folder = await temporaryFolder();
    const authority = await makeAuthority();
    const [server, client] = [
      await authority.issue({ names: ["localhost"] }),
      await authority.issue({ names: ["ada"], client: true }),
    ];
    const tls = { cert: server.cert, key: server.key, ca: authority.cert, requestCert: true };
    await using origin = await startHttp(
      ({ connection }) => (connection.socket as TLSSocket).getPeerCertificate().subjectaltname ?? "nobody",
      { tls },
    );
    const inside = async (name: string, text: string): Promise<string> => {
      await writeFile(join(folder.path, name), text);
      return join(folder.path, name);
    };
    const ca = await inside("ca.pem", authority.cert);
    const cert = await inside("cert.pem", client.cert);
    const key = await inside("key.pem", client.key);
    const both = await inside("both.pem", `${client.cert}\n${client.key}`);
    const sealed = await inside("sealed.pem", `${client.cert}\n${encryptKey(client.key, "pass:word")}`);
    const shown = async (...args: string[]): Promise<string> => {
      const { text, err } = await run(["get", "--cacert", ca, ...args, `https://localhost:${origin.port}/`]);
      return text + err;
    };
    assert.equal(await shown("-E", both), "DNS:ada");
    assert.equal(await shown("--cert", cert, "--key", key), "DNS:ada");
    assert.equal(await shown("-E", `${sealed}:pass:word`), "DNS:ada");
    assert.match(await shown(), /^urlpool: /);
  });

  it("names lead where --resolve says, -6 and -4 choose the family", async () => {
    await using origin = await startHttp(({ header }) => header("host") ?? "");
    const url = `http://shop.example:${origin.port}/`;
    const resolve = ["--resolve", `shop.example:${origin.port}:127.0.0.1`];
    assert.equal((await run(["get", ...resolve, url])).text, `shop.example:${origin.port}`);
    assert.equal((await run(["get", "-6", ...resolve, url])).code, 6);
    assert.equal((await run(["get", "--resolve", "*:*:127.0.0.1", url])).text, `shop.example:${origin.port}`);
    assert.equal((await run(["get", "-4", "-6", url])).code, 2);
  });

  it("a Unix-domain socket", { skip: process.platform === "win32" }, async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "s");
    await using origin = await startHttp(() => "over the socket", { path });
    const env = { http_proxy: "http://127.0.0.1:1" };
    assert.equal((await run(["get", "--unix-socket", path, "http://any/"], { env })).text, "over the socket");
    assert.equal(origin.received.length, 1);
  });

  it("proxies from -x and the environment, and exceptions", async () => {
    await using proxy = await startHttp(({ target }) => `proxied ${target}`);
    await using origin = await startHttp(() => "direct");
    const target = `proxied ${origin.url}/`;
    const env = { http_proxy: proxy.url };
    assert.equal((await run(["get", "-x", `127.0.0.1:${proxy.port}`, origin.url])).text, target);
    assert.equal((await run(["get", origin.url], { env })).text, target);
    assert.equal((await run(["get", "--noproxy", "127.0.0.1", origin.url], { env })).text, "direct");
    assert.equal((await run(["get", "-x", "", origin.url], { env })).text, "direct");
  });
});
