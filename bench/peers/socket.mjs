import net from "node:net";
import tls from "node:tls";

// One for all sockets: the bytes are only counted.
const buffer = Buffer.allocUnsafeSlow(65_536);

/**
 * The limit: sockets that write a ready-made request and count the bytes that come back, with neither parsing nor
 * promises. All responses must have one size, and so `create` measures the first.
 */
export async function create({ url, connections, ca }) {
  const target = targetOf(url, ca);
  const sizes = await measure(target);
  const idle = [];
  return {
    async loop(count, goOn) {
      while (idle.length < count) idle.push(await open(target, sizes));
      const used = idle.splice(0, count);
      await Promise.all(used.map((socket) => socket.run(goOn)));
      idle.push(...used);
    },
    close() {
      for (const socket of idle.splice(0, connections)) socket.end();
    },
  };
}

function targetOf(url, ca) {
  const { protocol, hostname, port, host, pathname } = new URL(url);
  const request = `GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n\r\n`;
  const options = { host: hostname, port: Number(port), noDelay: true };
  const connect = protocol === "https:" ? (more) => tls.connect({ ...options, ca, ...more }) : undefined;
  return {
    request: Buffer.from(request, "latin1"),
    connect: connect ?? ((more) => net.connect({ ...options, ...more })),
    ready: protocol === "https:" ? "secureConnect" : "connect",
  };
}

/** One response's size in all, and its body's. */
function measure({ request, connect, ready }) {
  return new Promise((resolve, reject) => {
    const socket = connect({});
    let text = "";
    socket.setEncoding("latin1");
    socket.on("error", reject);
    socket.on(ready, () => socket.write(request));
    socket.on("data", (chunk) => {
      text += chunk;
      const end = text.indexOf("\r\n\r\n") + 4;
      const body = Number(/^content-length: (\d+)\r$/im.exec(text)?.[1]);
      if (end < 4 || text.length < end + body) return;
      socket.destroy();
      resolve({ response: end + body, body });
    });
  });
}

/** An open socket whose `run` repeats the exchange until `goOn(bodySize)` is false. */
function open({ request, connect, ready }, sizes) {
  return new Promise((resolve, reject) => {
    let received = 0;
    let exchange;
    const onBytes = (count) => {
      received += count;
      if (received < sizes.response) return true;
      received = 0;
      if (exchange.goOn(sizes.body)) socket.write(request);
      else exchange.resolve();
      return true;
    };
    const socket = connect({ onread: { buffer, callback: onBytes } });
    const fail = (error) => (exchange ?? { reject }).reject(error);
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the origin closed the connection")));
    socket.once(ready, () => resolve({ run, end: () => socket.destroy() }));

    function run(goOn) {
      return new Promise((resolveRun, rejectRun) => {
        exchange = { goOn, resolve: resolveRun, reject: rejectRun };
        socket.write(request);
      });
    }
  });
}
