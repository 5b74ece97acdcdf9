/** The demo's own proxy: it asks for credentials, forwards requests and opens tunnels. */

import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

/** A proxy that runs. */
export interface DemoProxy {
  /** Without credentials. */
  url: string;
  /** Tunnels opened so far. */
  readonly tunnels: number;
  close(): Promise<void>;
}

/** Starts a proxy for who says `credentials` (`user:password`); every name leads to this machine. */
export async function startProxy(credentials: string): Promise<DemoProxy> {
  const expected = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const knows = ({ headers }: IncomingMessage): boolean => headers["proxy-authorization"] === expected;
  let tunnels = 0;
  const server = createServer((incoming, outgoing) => {
    if (knows(incoming)) forward(incoming, outgoing);
    else outgoing.writeHead(407, { "proxy-authenticate": 'Basic realm="demo"', "content-length": 0 }).end();
  });
  server.on("connect", (incoming: IncomingMessage, client: Socket) => {
    if (!knows(incoming)) {
      client.end(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=demo\r\n\r\n",
      );
      return;
    }
    tunnels++;
    join(client, Number(incoming.url?.split(":").at(-1)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get tunnels() {
      return tunnels;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { port, pathname, search } = new URL(incoming.url ?? "");
  const headers = { ...incoming.headers, via: "1.1 demo" };
  delete (headers as IncomingMessage["headers"])["proxy-authorization"];
  const onward = request(
    { host: "127.0.0.1", port, path: pathname + search, method: incoming.method, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    },
  );
  onward.on("error", () => outgoing.destroy());
  incoming.pipe(onward);
}

function join(client: Socket, port: number): void {
  const origin = connect(port, "127.0.0.1", () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    origin.pipe(client).pipe(origin);
  });
  client.on("error", () => origin.destroy()).on("close", () => origin.destroy());
  origin.on("error", () => client.destroy()).on("close", () => client.destroy());
}
