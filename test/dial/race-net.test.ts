/** The dial over the real network stack, loopback only. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import { type DialOptions, type DialTarget, dial, FailedAddresses } from "../../src/dial/race.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

async function listen(
  where: { path: string } | { host: string; port: number } = { host: "127.0.0.1", port: 0 },
): Promise<Server> {
  const server = net.createServer((socket) => socket.on("error", () => {}).end("hello"));
  server.listen(where);
  await once(server, "listening");
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function connect(target: DialTarget, options: Partial<DialOptions> = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const all = {
      clock: systemClock,
      failedAddresses: new FailedAddresses(),
      ...options,
    };
    dial(target, all, (error, socket) => (socket === null ? reject(error) : resolve(socket)));
  });
}

async function hangUp(socket: Socket, server: Server): Promise<void> {
  socket.destroy();
  server.close();
  await once(server, "close");
}

async function read(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

test("by name, by address and by path", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dial-"));
  const [tcp, unix] = await Promise.all([listen(), listen({ path: join(folder, "x.sock") })]);
  const targets: DialTarget[] = [
    { host: "localhost", port: portOf(tcp) },
    { host: "127.0.0.1", port: portOf(tcp) },
    { socketPath: join(folder, "x.sock") },
  ];
  for (const target of targets) assert.equal(await read(await connect(target)), "hello");
  for (const server of [tcp, unix]) server.close();
  await rm(folder, { recursive: true });
});

test("the bytes go to onread", async () => {
  const server = await listen();
  const chunks: string[] = [];
  const onread = {
    buffer: Buffer.alloc(64),
    callback: (length: number, bytes: Uint8Array) => {
      chunks.push(Buffer.from(bytes).toString("latin1", 0, length));
      return true;
    },
  };
  const socket = await connect({ host: "127.0.0.1", port: portOf(server) }, { onread });
  await once(socket, "end");
  assert.equal(chunks.join(""), "hello");
  await hangUp(socket, server);
});

test("an address that refuses is passed over for one that does not", async () => {
  const server = await listen();
  const lookup = (_host: string, _options: unknown, callback: (error: null, found: never) => void) =>
    callback(null, [
      { address: "127.0.0.2", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ] as never);
  const socket = await connect({ host: "h.test", port: portOf(server) }, { lookup });
  assert.equal(socket.remoteAddress, "127.0.0.1");
  await hangUp(socket, server);
});

test("the source address is bound", { skip: process.platform !== "linux" }, async () => {
  const server = await listen();
  const target = { host: "127.0.0.1", port: portOf(server) };
  const socket = await connect(target, { sourceAddress: "127.0.0.3" });
  assert.equal(socket.localAddress, "127.0.0.3");
  await hangUp(socket, server);
});

test("what cannot be connected to", async () => {
  const server = await listen();
  const port = portOf(server);
  server.close();
  await once(server, "close");
  const rows: [DialTarget, Partial<DialOptions>, RegExp][] = [
    [{ host: "127.0.0.1", port }, {}, new RegExp(`: connect ECONNREFUSED 127\\.0\\.0\\.1:${port}$`)],
    [{ host: "127.0.0.1", port: 99_999 }, {}, /: port must be a whole number from 0 to 65535, not 99999$/],
    [
      { host: "127.0.0.1", port },
      { sourceAddress: "nowhere" },
      /: sourceAddress is not an IP address: nowhere$/,
    ],
    [{ host: "127.0.0.1", port }, { sourceAddress: { address: "127.0.0.1", port: -1 } }, /not -1$/],
    [{ host: "127.0.0.1", port }, { sourceAddress: "192.0.2.1" }, /EADDRNOTAVAIL/],
    [{ socketPath: "/nonexistent/x.sock" }, {}, /: connect ENOENT \/nonexistent\/x\.sock$/],
  ];
  for (const [target, options, message] of rows) {
    await assert.rejects(connect(target, options), { name: "NewConnectionError", message });
  }
});

test("a name that does not exist", async () => {
  await assert.rejects(connect({ host: "nobody.invalid", port: 80 }), {
    name: "NameResolutionError",
    message: /^Failed to resolve 'nobody\.invalid' \(getaddrinfo /,
  });
});

test("aborting while a connection is being made leaves nothing", async () => {
  const server = await listen();
  for (const turns of [0, 1, 2]) {
    const target = { host: "127.0.0.1", port: portOf(server) };
    const dialled = dial(target, { clock: systemClock }, (_error, socket) => socket?.destroy());
    for (let turn = 0; turn < turns; turn += 1) await null;
    dialled.abort();
  }
  server.close();
  await once(server, "close");
});
