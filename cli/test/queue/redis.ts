/** Debian's redis-server on a free port, with its file of commands on, so that it can be killed and started again. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandOf, type Daemon, startDaemon } from "../../../test/kit/daemon.ts";

/** A running Redis. */
export interface TestRedis extends AsyncDisposable {
  /** For `--queue`. */
  readonly url: string;
  /** Kills it, and starts it again on the same port and data. */
  restart(): Promise<void>;
}

/** Starts it, and waits until it answers. */
export async function startRedis(): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), "urlpool-redis-data-"));
  const port = await freePort();
  let daemon = await launch(folder, port);
  return {
    url: `redis://127.0.0.1:${port}/0`,
    restart: async () => {
      await daemon.stop();
      daemon = await launch(folder, port);
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(folder: string, port: number): Promise<Daemon> {
  const options = {
    port,
    bind: "127.0.0.1",
    dir: folder,
    appendonly: "yes",
    appendfsync: "everysec",
    save: "",
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const prepare = (): string[] => [commandOf("redis-server"), ...args];
  const daemon = await startDaemon({ name: "redis", ports: 1, listening: 0, signal: "KILL", prepare });
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 20));
  return daemon;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Whether it has read its data. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.on("data", (data) => {
      resolve(data.toString().startsWith("+PONG"));
      socket.destroy();
    });
    socket.on("error", () => resolve(false));
  });
}
