/** TLS that breaks after the request was sent. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { type SecureVersion, TLSSocket } from "node:tls";
import { PoolManager } from "../../src/index.ts";
import { type Identity, makeAuthority } from "../kit/certificates.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const authority = await makeAuthority();
const identity = await authority.issue({ ips: ["127.0.0.1"] });

/** A record that no key has made. */
const BAD_RECORD = Buffer.from(`1703030010${"00".repeat(16)}`, "hex");
const PART = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbook";

class BreakingServer implements AsyncDisposable {
  /** Requests that have come whole. */
  received = 0;
  readonly #server: Server;
  readonly #wires = new Set<Socket>();

  constructor({ key, cert }: Identity, maxVersion: SecureVersion, part: string) {
    this.#server = createServer((wire) => {
      this.#wires.add(wire);
      const socket = new TLSSocket(wire, { isServer: true, key, cert, maxVersion });
      for (const side of [wire, socket]) side.on("error", () => undefined);
      socket.on("data", (bytes: Buffer) => {
        if (!bytes.toString().endsWith("amount=100")) return;
        this.received++;
        if (part === "") wire.write(BAD_RECORD);
        else socket.write(part, () => wire.write(BAD_RECORD));
      });
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) wire.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

describe("a POST whose TLS breaks after it was sent is not sent again", () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const [when, part] of Object.entries({ "instead of an answer": "", "within the answer": PART })) {
      it(`${version}, ${when}`, async () => {
        await using server = new BreakingServer(identity, version, part);
        const url = await server.listen();
        await using manager = new PoolManager({ caCertData: authority.cert });
        await assert.rejects(manager.request("POST", `${url}/pay`, { body: "amount=100" }));
        assert.equal(server.received, 1);
      });
    }
  }
});
