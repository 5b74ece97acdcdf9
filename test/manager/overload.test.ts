/** Many more requests than `maxConnections`: connections are used again, and no host starves another. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { World } from "../kit/world.ts";

const HOSTS = Array.from({ length: 20 }, (_unused, index) => `h${index}.test`);
const EACH = 20;
const LIMIT = 10;

it("400 requests at once on 20 hosts made a connection for almost each, with a limit of 10", async () => {
  using world = new World({ maxConnections: LIMIT });
  const handler = world.serve(async () => {
    await world.sleep(5);
    return "x";
  });
  for (const host of HOSTS) world.host(host, handler);
  let most = 0;
  world.step = (_name, run) => {
    run();
    most = Math.max(most, world.open.length);
  };
  const manager = world.manager({ numPools: HOSTS.length });
  /** Hosts in the order of their answers. */
  const answered: string[] = [];
  const asked = Array.from({ length: EACH }, () => HOSTS)
    .flat()
    .map(async (host) => {
      const { status } = await manager.request("GET", `http://${host}/`);
      assert.equal(status, 200);
      answered.push(host);
    });
  await world.run(Promise.all(asked));
  assert.equal(answered.length, HOSTS.length * EACH);
  assert.ok(most <= LIMIT, `${most} connections at once`);
  // One for each host at least; a busy one gives way after a bounded number of requests.
  assert.ok(world.connections.length <= 4 * HOSTS.length, `${world.connections.length} connections made`);
  // Whoever has no connection gets one before the others are through.
  const firsts = HOSTS.map((host) => answered.indexOf(host));
  assert.ok(
    Math.max(...firsts) < answered.length * 0.75,
    `the last host's first answer is number ${Math.max(...firsts)}`,
  );
});
