/** TLS that fails after the handshake. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { createServer } from "node:tls";
import { PoolManager, SSLError } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  it(`${version}: a server that wants a client certificate and gets none is an SSLError that says so`, async () => {
    const authority = await makeAuthority();
    const identity = await authority.issue({ names: ["localhost"] });
    const server = createServer({ ...identity, ca: authority.cert, requestCert: true, maxVersion: version });
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await using manager = new PoolManager({ caCertData: authority.cert, retries: false });
    try {
      await assert.rejects(manager.request("GET", `https://localhost:${port}/`), (error) => {
        assert.ok(error instanceof SSLError, String(error));
        assert.match(error.message, /^GET https:\/\/localhost:\d+\/: .*client certificate/);
        assert.ok(error.cause instanceof Error);
        return true;
      });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
}
