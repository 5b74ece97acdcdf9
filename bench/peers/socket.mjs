import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { hostUrls } from "../lib/hosts.mjs";
import { callersFields, JSON_BODY, uploadBytes } from "../lib/upload.mjs";

// One for all sockets: the bytes are only counted.
const buffer = Buffer.allocUnsafeSlow(65_536);

/**
 * The limit: sockets that write a ready-made request and count the bytes that come back, with neither parsing nor
 * promises. All responses must have one size, and so the first is measured. As `socket-fresh` and `socket-reused`
 * they put each response into memory of its own, or all into the same. With `hosts` they ask these in turn, and with `proxy` they
 * go through a tunnel each.
 */
export async function create({ peer, url, ca, mode, upload = 0, proxy, hosts }) {
  const urls = hosts === undefined ? [url] : hostUrls(url, hosts);
  const targets = urls.map((each) => ({ url: each, ca, proxy, nextRequest: requestsOf(mode, each, upload) }));
  // Once for a process: those who make new clients again and again would measure it each time.
  sizes ??= await measure(targets[0]);
  const idle = [];
  const openAll = async (count) => {
    const missing = Array.from({ length: Math.max(count - idle.length, 0) }, (_, i) => idle.length + i);
    idle.push(...(await Promise.all(missing.map((i) => open(targets[i % targets.length], MEMORY[peer])))));
  };
  return {
    async loop(count, goOn) {
      if (hosts === undefined) {
        await openAll(count);
        await Promise.all(idle.slice(0, count).map((socket) => repeat(() => socket, goOn)));
      } else {
        await openAll(hosts);
        let asked = 0;
        const inTurn = () => idle[asked++ % hosts];
        await Promise.all(Array.from({ length: count }, () => repeat(inTurn, goOn)));
      }
    },
    close() {
      for (const socket of idle.splice(0)) socket.end();
    },
  };
}

let sizes;

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

/** A socket that is ready for requests, its bytes read by `onread`. */
async function connect({ url, ca, proxy }, onread) {
  const { protocol, hostname, port } = new URL(url);
  const options = { host: hostname, port: Number(port), noDelay: true };
  if (proxy !== undefined) return await connectThrough(proxy, { ...options, ca }, onread.callback);
  if (protocol === "https:") return await ready(tls.connect({ ...options, ca, onread }), "secureConnect");
  return await ready(net.connect({ ...options, onread }), "connect");
}

async function connectThrough(proxy, { host, port, ca }, onBytes) {
  const { hostname, port: proxyPort } = new URL(proxy);
  const tunnel = await ready(
    net.connect({ host: hostname, port: Number(proxyPort), noDelay: true }),
    "connect",
  );
  tunnel.write(`CONNECT ${host}:${port} HTTP/1.1\r\nhost: ${host}:${port}\r\n\r\n`);
  const [answer] = await once(tunnel, "data");
  if (!/^HTTP\/1\.\d 200 /.test(answer.latin1Slice())) throw new Error(answer.latin1Slice());
  const socket = tls.connect({ socket: tunnel, ca, host });
  // A TLS socket over another one has no `onread`.
  socket.on("data", (chunk) => onBytes(chunk.length, chunk));
  return await ready(socket, "secureConnect");
}

/** The socket, once it has had this event; without listeners of its own. */
async function ready(socket, event) {
  await once(socket, event);
  return socket;
}

/** One response's size in all, and its body's. */
function measure(target) {
  return new Promise((resolve, reject) => {
    let socket;
    let head = "";
    let received = 0;
    const callback = (count, bytes) => {
      received += count;
      if (!head.includes("\r\n\r\n")) head += bytes.latin1Slice(0, count);
      const end = head.indexOf("\r\n\r\n") + 4;
      const body = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
      if (end >= 4 && received >= end + body) {
        socket.destroy();
        resolve({ response: end + body, body });
      }
      return true;
    };
    const begin = (opened) => {
      socket = opened;
      socket.on("error", reject);
      socket.write(target.nextRequest(), "latin1");
    };
    connect(target, { buffer, callback }).then(begin, reject);
  });
}

/** An open socket; its `exchange` sends a request, and gives the body's size, or why there is none. */
async function open(target, memoryFor) {
  let received = 0;
  let current;
  const memory = memoryFor?.(sizes.response);
  const callback = (count) => {
    received += count;
    if (received < sizes.response) return true;
    received = 0;
    current.done(sizes.body);
    return true;
  };
  const onread = { buffer: memory === undefined ? buffer : () => memory(received), callback };
  const socket = await connect(target, onread);
  const fail = (error) => current?.failed(error);
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the origin closed the connection")));
  return {
    exchange(done, failed) {
      current = { done, failed };
      socket.write(target.nextRequest(), "latin1");
    },
    end: () => socket.destroy(),
  };
}

/** One exchange after another, each on the next socket, until `goOn(bodySize)` is false. */
function repeat(nextSocket, goOn) {
  return new Promise((resolve, reject) => {
    const again = (size) => {
      if (goOn(size)) nextSocket().exchange(again, reject);
      else resolve();
    };
    nextSocket().exchange(again, reject);
  });
}
