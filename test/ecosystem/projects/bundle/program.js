// Bundled and minified, then run: prints what a user would see.
import { createServer } from "node:http";
import { HTTPError, PoolManager, SOCKSProxyManager } from "urlpool";

const server = createServer((_request, response) => response.end('{"a":1}'));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}/`;
const manager = new PoolManager({ retries: false });
console.log(await (await manager.request("GET", url)).json());
server.close();
server.closeAllConnections();
const error = await manager.request("GET", url).catch((reason) => reason);
console.log(error instanceof HTTPError, error.name, error.constructor.name, error.code);
console.log(typeof SOCKSProxyManager);
