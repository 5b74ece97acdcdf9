import net from "node:net";
import tls from "node:tls";
import { callersFields, JSON_BODY, uploadBytes } from "../lib/upload.mjs";

// One for all sockets: the bytes are only counted.
const buffer = Buffer.allocUnsafeSlow(65_536);

/**
 * The limit: sockets that write a ready-made request and count the bytes that come back, with neither parsing nor
 * promises. All responses must have one size, and so `create` measures the first. As `socket-fresh` and `socket-reused`
 * they put each response into memory of its own, or all into the same.
 */
export async function create({ peer, url, connections, ca, mode, upload = 0 }) {
  const target = targetOf(url, ca, requestsOf(mode, url, upload));
  const sizes = await measure(target);
  const idle = [];
  return {
    async loop(count, goOn) {
      while (idle.length < count) idle.push(await open(target, sizes, MEMORY[peer]));
      const used = idle.splice(0, count);
      await Promise.all(used.map((socket) => socket.run(goOn)));
      idle.push(...used);
    },
    close() {
      for (const socket of idle.splice(0, connections)) socket.end();
    },
  };
}

/** By peer: makes what gives the memory for the next bytes of a response of `size` bytes, of which `received` are there. */
const MEMORY = {
  "socket-fresh": (size) => {
    let memory;
    return (received) => {
      if (received === 0) memory = Buffer.allocUnsafeSlow(size);
      return memory.subarray(received);
    };
  },
  "socket-reused": (size) => {
    const memory = Buffer.allocUnsafeSlow(size);
    return (received) => memory.subarray(received);
  },
};

/** What gives the bytes, or the text, of one request after another. */
function requestsOf(mode, url, upload) {
  const { host, pathname } = new URL(url);
  const head = (method, path, fields = "") =>
    `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n${fields}\r\n`;
  if (mode === "distinct") return distinctRequests(head, pathname);
  const bytes = mode === "post" ? Buffer.from(JSON.stringify(JSON_BODY)) : uploadBytes(upload);
  const ready =
    bytes.length === 0
      ? Buffer.from(head("GET", pathname), "latin1")
      : Buffer.concat([Buffer.from(head("POST", pathname, `content-length: ${bytes.length}\r\n`)), bytes]);
  return () => ready;
}

function distinctRequests(head, pathname) {
  let asked = 0;
  return () => {
    asked += 1;
    const fields = Object.entries(callersFields()).map(([name, value]) => `${name}: ${value}\r\n`);
    return head("GET", pathname + String(asked).padStart(9, "0"), fields.join(""));
  };
}

function targetOf(url, ca, nextRequest) {
  const { protocol, hostname, port } = new URL(url);
  const options = { host: hostname, port: Number(port), noDelay: true };
  const connect = protocol === "https:" ? (more) => tls.connect({ ...options, ca, ...more }) : undefined;
  return {
    nextRequest,
    connect: connect ?? ((more) => net.connect({ ...options, ...more })),
    ready: protocol === "https:" ? "secureConnect" : "connect",
  };
}

/** One response's size in all, and its body's. */
function measure({ nextRequest, connect, ready }) {
  return new Promise((resolve, reject) => {
    const socket = connect({});
    let head = "";
    let received = 0;
    socket.setEncoding("latin1");
    socket.on("error", reject);
    socket.on(ready, () => socket.write(nextRequest(), "latin1"));
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (!head.includes("\r\n\r\n")) head += chunk;
      const end = head.indexOf("\r\n\r\n") + 4;
      const body = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
      if (end < 4 || received < end + body) return;
      socket.destroy();
      resolve({ response: end + body, body });
    });
  });
}

/** An open socket whose `run` repeats the exchange until `goOn(bodySize)` is false. */
function open({ nextRequest, connect, ready }, sizes, memoryFor) {
  return new Promise((resolve, reject) => {
    let received = 0;
    let exchange;
    const memory = memoryFor?.(sizes.response);
    const onBytes = (count) => {
      received += count;
      if (received < sizes.response) return true;
      received = 0;
      if (exchange.goOn(sizes.body)) socket.write(nextRequest(), "latin1");
      else exchange.resolve();
      return true;
    };
    const onread = { buffer: memory === undefined ? buffer : () => memory(received), callback: onBytes };
    const socket = connect({ onread });
    const fail = (error) => (exchange ?? { reject }).reject(error);
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the origin closed the connection")));
    socket.once(ready, () => resolve({ run, end: () => socket.destroy() }));

    function run(goOn) {
      return new Promise((resolveRun, rejectRun) => {
        exchange = { goOn, resolve: resolveRun, reject: rejectRun };
        socket.write(nextRequest(), "latin1");
      });
    }
  });
}
