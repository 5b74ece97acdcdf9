/** Redirects by the rules of fetch (Fetch §4.4), which differ from urllib3's: 301 and 302 make a POST a GET. */

import type { RequestBody } from "../../client/options.ts";
import { type Fields, without, withoutBodyFields } from "./fields.ts";

/** A request on its way from URL to URL. */
export interface Hop {
  readonly method: string;
  readonly url: URL;
  readonly fields: Fields;
  readonly body: RequestBody | null;
  /** The body cannot be sent a second time. */
  readonly streamed: boolean;
}

const STATUSES = new Set([301, 302, 303, 307, 308]);

/** They are not for another origin. */
const ORIGINS_OWN = ["authorization", "proxy-authorization", "cookie", "host"];

/** Whether a status can redirect. */
export function isRedirectStatus(status: number): boolean {
  return STATUSES.has(status);
}

/** The hop after `hop`, whose answer had `status` and `location`. Throws what makes it a network error. */
export function nextHop(hop: Hop, status: number, location: string, removed: readonly string[]): Hop {
  const url = targetOf(location, hop.url);
  if (status !== 303 && hop.streamed) {
    throw new Error(`a body that is a stream cannot be sent again for a redirect with ${status}`);
  }
  const toGet =
    status === 303 ? hop.method !== "GET" && hop.method !== "HEAD" : status <= 302 && hop.method === "POST";
  const crosses = url.origin !== hop.url.origin;
  const kept = toGet ? withoutBodyFields(hop.fields) : hop.fields;
  const fields = crosses ? without(kept, [...ORIGINS_OWN, ...removed]) : kept;
  return toGet ? { method: "GET", url, fields, body: null, streamed: false } : { ...hop, url, fields };
}

function targetOf(location: string, base: URL): URL {
  const url = new URL(asUtf8(location), base);
  url.hash = "";
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Error(`URL scheme must be a HTTP(S) scheme, not ${url.protocol}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new Error('cross origin not allowed for request mode "cors": Location has credentials');
  }
  return url;
}

/** Fields are read byte by byte; bytes beyond ASCII are UTF-8 here. */
function asUtf8(text: string): string {
  return /[\x80-\xff]/.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text;
}
