/** What a proxy on the way does to the fields of a request. */

import { HTTPHeaderDict } from "../core/headers.ts";
import type { ProxyAuth } from "../dial/proxy/auth.ts";

/** The fields of requests that go through a proxy. */
export interface ProxyFields {
  /** Whether the proxy reads the requests: then their targets are absolute. */
  readonly forwards: boolean;
  /** Answers the challenges of a proxy that reads the requests. */
  readonly auth: ProxyAuth | null;
  /** The fields that go on the wire; `headers`, the caller's, are not modified. */
  fields(headers: HTTPHeaderDict | null, method: string, target: string): HTTPHeaderDict | null;
}

/** The proxy reads the requests: its own fields are laid over the caller's. */
export class ForwardedFields implements ProxyFields {
  readonly forwards = true;
  readonly auth: ProxyAuth | null;
  readonly #own: HTTPHeaderDict | null;
  /** proxyHeaders say it already. */
  readonly #authorized: boolean;

  constructor(own: HTTPHeaderDict | null, auth: ProxyAuth | null) {
    this.#own = own;
    this.auth = auth;
    this.#authorized = own?.has("proxy-authorization") ?? false;
  }

  fields(headers: HTTPHeaderDict | null, method: string, target: string): HTTPHeaderDict {
    const fields = new HTTPHeaderDict();
    if (!headers?.has("accept") && !this.#own?.has("accept")) fields.set("Accept", "*/*");
    fields.extend(headers ?? []);
    if (this.#own !== null) {
      for (const name of this.#own.keys()) fields.delete(name);
      fields.extend(this.#own);
    }
    const { auth } = this;
    if (auth !== null && (auth.changes || !this.#authorized)) {
      fields.set("Proxy-Authorization", auth.authorize(method, target));
    }
    return fields;
  }
}

/** The proxy sees nothing of the requests, and the origin must see nothing of the proxy's credentials. */
export class TunnelledFields implements ProxyFields {
  readonly forwards = false;
  readonly auth = null;

  fields(headers: HTTPHeaderDict | null): HTTPHeaderDict | null {
    if (!headers?.has("proxy-authorization")) return headers;
    const fields = headers.copy();
    fields.delete("proxy-authorization");
    return fields;
  }
}
