/** The demo's own origins: nothing leaves the machine. */

import { createServer as createHttp, type RequestListener, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { makeAuthority } from "../test/kit/certificates.ts";

/** Names under `.test` never exist elsewhere (RFC 2606). */
const NAMES = {
  example: "example.test",
  httpbin: "httpbin.test",
  secure: "secure.test",
  secureToo: "www.secure.test",
};

/** Origins that run, and how to reach them. */
export interface DemoOrigins {
  example: string;
  httpbin: string;
  secure: string;
  /** The same server under another name. */
  secureToo: string;
  /** PEM of the authority that signed the HTTPS origin's certificate. */
  authority: string;
  close(): Promise<void>;
}

/** Starts two HTTP origins and one HTTPS origin, its certificate made on the spot. */
export async function startOrigins(): Promise<DemoOrigins> {
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue({ names: [NAMES.secure, NAMES.secureToo] });
  const servers: Server[] = [
    createHttp(answer("example-origin")),
    createHttp(answer("httpbin-origin")),
    createHttps({ cert, key }, answer("secure-origin")) as unknown as Server,
  ];
  const [example, httpbin, secure] = await Promise.all(servers.map(listen));
  return {
    example: `http://${NAMES.example}:${example}`,
    httpbin: `http://${NAMES.httpbin}:${httpbin}`,
    secure: `https://${NAMES.secure}:${secure}`,
    secureToo: `https://${NAMES.secureToo}:${secure}`,
    authority: authority.cert,
    close: async () => {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function answer(name: string): RequestListener {
  return (request, response) => {
    const body: Buffer[] = [];
    request.on("data", (chunk: Buffer) => body.push(chunk));
    request.on("end", () => {
      const text = JSON.stringify({
        method: request.method,
        path: request.url,
        headers: request.headers,
        body: Buffer.concat(body).toString(),
      });
      response.writeHead(200, {
        server: name,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(text),
      });
      response.end(text);
    });
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
