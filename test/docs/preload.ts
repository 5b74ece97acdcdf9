/**
 * Loaded before the programs of the texts: names resolve to addresses that stand for them, and connections to the usual
 * ports of these, and to local proxies, lead to the test's servers. Nothing leaves the machine.
 */

import dns from "node:dns";
import net from "node:net";
import type { DocsPorts } from "./world.ts";

const ports = JSON.parse(process.env.DOCS_PORTS!) as DocsPorts;

/** Of the hosts that anybody can see; reserved for nobody. */
const PUBLIC = "93.184.215.14";
const PRIVATE: Readonly<Record<string, string>> = {
  localhost: "127.0.0.1",
  "intranet.example.com": "10.0.0.7",
};

type LookupCallback = (error: Error | null, address?: unknown, family?: number) => void;

type LookupArguments =
  | [host: string, options: { all?: boolean }, callback: LookupCallback]
  | [host: string, callback: LookupCallback];

function lookup(...[host, ...given]: LookupArguments): void {
  const callback = given.at(-1) as LookupCallback;
  const options = given.length === 2 ? (given[0] as { all?: boolean }) : {};
  if (net.isIP(host) !== 0) {
    callback(null, options.all ? [{ address: host, family: net.isIP(host) }] : host, net.isIP(host));
    return;
  }
  if (!/(^|\.)(example\.com|httpbin\.org|typicode\.com|localhost)$/.test(host)) {
    callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }));
    return;
  }
  const address = PRIVATE[host] ?? PUBLIC;
  if (options.all) callback(null, [{ address, family: 4 }]);
  else callback(null, address, 4);
}

dns.lookup = lookup as unknown as typeof dns.lookup;

/** The usual ports. */
const ROUTES: Readonly<Record<string, number>> = {
  80: ports.http,
  443: ports.https,
  3128: ports.proxy,
  3129: ports.tlsProxy,
  1080: ports.socks,
};

interface Target {
  host?: string;
  port?: number | string;
  path?: string;
}

const { connect } = net.Socket.prototype;

/** `net.connect` passes a list of options and callback on; the options are first. */
function connectMapped(this: net.Socket, first: unknown, ...rest: unknown[]): net.Socket {
  const target = (Array.isArray(first) ? first[0] : first) as Target;
  const port = ROUTES[String(target.port)];
  const isOwn = target.path !== undefined || target.host === "127.0.0.1" || target.host === "localhost";
  if (port === undefined && !isOwn) throw new Error(`the test has no ${target.host}:${target.port}`);
  if (port !== undefined) Object.assign(target, { host: "127.0.0.1", port });
  return Reflect.apply(connect, this, [first, ...rest]) as net.Socket;
}

net.Socket.prototype.connect = connectMapped as typeof connect;
