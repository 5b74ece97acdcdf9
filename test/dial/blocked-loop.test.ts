/** A program that computes for longer than its connect timeout: the servers answer meanwhile, from a thread of their own. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { ConnectTimeoutError, PoolManager, type PoolManagerOptions, Timeout } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";

const authority = await makeAuthority();
const identity = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });

/** An HTTP server, an HTTPS server, a proxy for CONNECT, and a server that accepts and is silent. */
const SERVERS = `
const { workerData: identity, parentPort } = require("node:worker_threads");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const answer = (request, response) => response.end("ok");
const proxy = http.createServer(answer).on("connect", (request, socket) => {
  const [host, port] = request.url.split(":");
  const onward = net.connect(port, host, () => {
    socket.write("HTTP/1.1 200 OK\\r\\n\\r\\n");
    socket.pipe(onward).pipe(socket);
  });
  socket.on("error", () => onward.destroy());
  onward.on("error", () => socket.destroy());
});
const silent = net.createServer((socket) => socket.on("error", () => {}));
const servers = [http.createServer(answer), https.createServer(identity, answer), proxy, silent];
let listening = 0;
for (const server of servers) {
  server.listen(0, "127.0.0.1", () => {
    if (++listening === servers.length) parentPort.postMessage(servers.map((one) => one.address().port));
  });
}`;

describe("connect timeout of 200 ms, and the program computes for 500 ms", () => {
  let worker: Worker;
  let [plain, secure, proxy, silent] = [0, 0, 0, 0];
  before(async () => {
    worker = new Worker(SERVERS, { eval: true, workerData: identity });
    const ports = await new Promise<number[]>((resolve, reject) => {
      worker.once("message", resolve).once("error", reject);
    });
    [plain, secure, proxy, silent] = ports as [number, number, number, number];
  });
  after(async () => {
    await worker.terminate();
  });

  async function get(url: string, microtasks: number, options: PoolManagerOptions = {}): Promise<number> {
    await using manager = new PoolManager({
      caCertData: authority.cert,
      retries: false,
      timeout: new Timeout({ connect: 200, read: 5000 }),
      ...options,
    });
    const request = manager.request("GET", url);
    request.catch(() => {});
    for (let i = 0; i < microtasks; i++) await null;
    compute(500);
    return (await request).status;
  }

  const ways: [name: string, url: () => string, options?: () => PoolManagerOptions][] = [
    ["an address", () => `http://127.0.0.1:${plain}/`],
    ["a name", () => `http://localhost:${plain}/`],
    ["TLS", () => `https://127.0.0.1:${secure}/`],
    ["TLS and a name", () => `https://localhost:${secure}/`],
    [
      "TLS behind a proxy",
      () => `https://localhost:${secure}/`,
      () => ({ proxy: `http://127.0.0.1:${proxy}` }),
    ],
  ];
  for (const [name, url, options] of ways) {
    it(`${name}: connects all the same`, async () => {
      for (const microtasks of [0, 20]) assert.equal(await get(url(), microtasks, options?.()), 200);
    });
  }

  it("a server that is silent is still given up", async () => {
    const begin = performance.now();
    await assert.rejects(get(`https://127.0.0.1:${silent}/`, 2), /Read timed out during the TLS handshake/);
    assert.ok(performance.now() - begin < 3000);
    const lookup = () => {};
    await assert.rejects(get(`http://a.test:${silent}/`, 2, { lookup }), ConnectTimeoutError);
  });
});

function compute(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}
