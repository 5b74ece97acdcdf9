import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { leakGate } from "./leak-gate.ts";
import { type Origin, type OriginConnection, PeerGone, startOrigin } from "./origin.ts";

leakGate();

const HEAD = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";

function dial(origin: Origin): net.Socket {
  return net.connect({ port: origin.port, host: origin.host, noDelay: true });
}

/** All that arrives until the server ends. */
async function readAll(socket: net.Socket): Promise<string> {
  return Buffer.concat((await socket.toArray()) as Buffer[]).toString("latin1");
}

test("heads and bodies are read exactly, over any packet boundaries", async () => {
  const bodies: string[] = [];
  await using origin = await startOrigin(async (connection) => {
    await connection.readHead();
    bodies.push((await connection.readBody(5)).toString());
    await connection.readHead();
    const { body, trailers } = await connection.readChunkedBody();
    bodies.push(body.toString(), ...trailers);
    await connection.send("done");
    connection.close();
  });
  const socket = dial(origin);
  socket.write(`${HEAD}he`);
  await new Promise((resolve) => setImmediate(resolve));
  socket.write(`llo${HEAD}3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n`);
  assert.equal(await readAll(socket), "done");
  assert.deepEqual(bodies, ["hello", "abcde", "T: 1"]);
  assert.deepEqual(origin.requests, [HEAD, HEAD]);
  assert.equal(origin.connections[0]?.requestCount, 2);
});

test("a script answers one request each, then closes", async () => {
  await using origin = await startOrigin([ANSWER, "last"]);
  const socket = dial(origin);
  socket.write(HEAD + HEAD + HEAD);
  assert.equal(await readAll(socket), `${ANSWER}last`);
  assert.equal(origin.requests.length, 2);
});

test("bytewise sending makes one packet of each byte", async () => {
  await using origin = await startOrigin(async (connection) => {
    await connection.readHead();
    await connection.sendBytewise("abcdef");
    connection.halfClose();
  });
  const socket = dial(origin);
  const chunks: string[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  socket.write(HEAD);
  await once(socket, "close");
  assert.equal(chunks.join(""), "abcdef");
  assert.ok(chunks.length >= 3, `${chunks.length} packets`);
});

test("after a half-close the server still reads", async () => {
  const read: string[] = [];
  await using origin = await startOrigin(async (connection) => {
    connection.halfClose();
    read.push((await connection.readAll()).toString());
  });
  const socket = net.connect({ port: origin.port, host: origin.host, allowHalfOpen: true });
  socket.resume();
  await once(socket, "end");
  socket.end("late");
  await (await origin.connection(0)).closed;
  assert.deepEqual(read, ["late"]);
});

test("a reset reaches the client as ECONNRESET", async () => {
  await using origin = await startOrigin(async (connection) => {
    await connection.readHead();
    connection.reset();
  });
  const socket = dial(origin);
  socket.write(HEAD);
  const [error] = (await once(socket, "error").catch((thrown: unknown) => [thrown])) as [
    NodeJS.ErrnoException,
  ];
  assert.equal(error.code, "ECONNRESET");
});

test("a paused server lets the client's writes pile up", async () => {
  let connection: OriginConnection | undefined;
  await using origin = await startOrigin((accepted) => {
    connection = accepted;
    accepted.pause();
  });
  const socket = dial(origin);
  await origin.connection(0);
  const big = Buffer.alloc(64 * 1024 * 1024);
  socket.write(big);
  // The kernel's buffers are far smaller than that.
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(connection?.bytesReceived, 0);
  assert.ok(socket.writableLength > 0);
  connection?.resume();
  await once(socket, "drain");
  socket.destroy();
  await connection?.closed;
});

test("it listens on a Unix-domain socket", async () => {
  const folder = await mkdtemp(join(tmpdir(), "urlpool-origin-"));
  {
    await using origin = await startOrigin([ANSWER], { path: join(folder, "s") });
    const socket = net.connect({ path: origin.host });
    socket.write(HEAD);
    assert.equal(await readAll(socket), ANSWER);
    assert.equal(origin.port, 0);
  }
  await rm(folder, { recursive: true });
});

test("a client that goes ends the connection and is no failure of the handler", async () => {
  await using origin = await startOrigin(ANSWER);
  const socket = dial(origin);
  await once(socket, "connect");
  socket.destroy();
  await (await origin.connection(0)).closed;
  const connection = await origin.connection(0);
  await assert.rejects(connection.readHead(), PeerGone);
});

test("closing reports what went wrong in a handler", async () => {
  const origin = await startOrigin(async (connection) => {
    await connection.readHead();
    throw new Error("the handler found a fault");
  });
  const socket = dial(origin);
  socket.write(HEAD);
  await readAll(socket).catch(() => {});
  await assert.rejects(origin.close(), /found a fault/);
});
