/** The walk-through of the README, each step printed with what came of it. */

import type { LookupFunction } from "node:net";
import { defaultKeyNormalizer, HTTPPoolKey, makeHeaders, PoolManager, ProxyManager } from "urlpool";
import { type DemoOrigins, startOrigins } from "./origins.ts";
import { startProxy } from "./proxy.ts";
import { heading, print, style } from "./terminal.ts";
import { call, printPools } from "./visit.ts";

/** Every name is this machine. */
const lookup: LookupFunction = (_host, options, callback) => {
  if (options.all) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

/** Runs all of it. */
export async function walkThrough(): Promise<void> {
  print(style("bold", "urlpool: PoolManager against origins of this process"));
  const origins = await startOrigins();
  const manager = new PoolManager(10, { lookup, caCertData: origins.authority });

  heading("Requests to several hosts over one manager");
  await call(manager, "GET", `${origins.example}/`);
  await call(manager, "GET", `${origins.httpbin}/`);
  await call(manager, "POST", `${origins.httpbin}/headers`, { fields: { colour: "blue" } });
  await call(manager, "HEAD", `${origins.httpbin}/cookies`);
  await call(manager, "GET", `${origins.secure}/`);
  await call(manager, "GET", `${origins.secure}/again`, { fields: { q: "pools" } });
  printPools(manager);
  fact("manager.pools.size", manager.pools.size);
  fact(
    "manager.connectionFromUrl(httpbin).numRequests",
    manager.connectionFromUrl(origins.httpbin).numRequests,
  );

  heading("At most numPools pools: the least recently used one goes");
  const small = new PoolManager(2, { lookup, caCertData: origins.authority });
  for (const url of [origins.example, origins.httpbin, origins.secure]) await call(small, "GET", `${url}/`);
  printPools(small);

  customField();
  await throughProxy(origins);
  await Promise.all([manager.close(), small.close()]);
  await origins.close();
}

/** A field of one's own in the pool key. */
function customField(): void {
  heading("A field of one's own in the pool key");
  const CustomKey = HTTPPoolKey.extend("myField");
  const manager = new PoolManager(10);
  manager.keyFnByScheme.http = (context) => defaultKeyNormalizer(CustomKey, context);
  for (const myField of ["wheat", "barley"]) {
    (manager.connectionPoolKw as Record<string, unknown>).myField = myField;
    manager.connectionFromUrl("http://example.com");
    fact(`manager.pools.size with myField "${myField}"`, manager.pools.size);
  }
}

/** One pool for all http hosts, a tunnel for each https host; the credentials go to the proxy only. */
async function throughProxy(origins: DemoOrigins): Promise<void> {
  heading("Through a proxy that asks for credentials");
  const proxy = await startProxy("myusername:mypassword");
  const proxyHeaders = makeHeaders({ proxyBasicAuth: "myusername:mypassword" });
  const manager = new ProxyManager(proxy.url, { proxyHeaders, lookup, caCertData: origins.authority });
  await call(manager, "GET", `${origins.example}/`);
  await call(manager, "GET", `${origins.httpbin}/`);
  await call(manager, "GET", `${origins.secure}/`);
  await call(manager, "GET", `${origins.secure}/again`);
  await call(manager, "GET", `${origins.secureToo}/`);
  printPools(manager);
  fact("tunnels that the proxy opened", proxy.tunnels);
  await manager.close();
  await proxy.close();
}

function fact(name: string, value: unknown): void {
  print(`  ${name} = ${style("cyan", String(value))}`);
}
