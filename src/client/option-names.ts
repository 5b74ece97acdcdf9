/** Options that nothing here knows: what their caller may have meant. */

import { InvalidArgumentError } from "../core/errors.ts";
import { OPTION_RULES, type OptionPlace, ruleOf, show } from "./options-table.ts";

/** Who was given the options. */
export type OptionLevel = "manager" | "pool" | "call";

const WHOSE: Readonly<Record<OptionLevel, string>> = {
  manager: "PoolManager option",
  pool: "pool option",
  call: "request option",
};

const TAKEN_BY: Readonly<Record<OptionPlace, string>> = {
  manager: "managers",
  pool: "managers and pools",
  "pool+call": "managers, pools and requests",
  call: "requests",
  request: "request(), which makes a query or a body of it; urlopen() does not",
};

/**
 * What other clients call things: advice, and the names that get it, spelt as {@link plain} spells them. Those after
 * the bar are refused in requests only: a pool may well have an option of its own with such a name.
 */
const FOREIGN: readonly (readonly [advice: string, names: string])[] = [
  ["give query parameters as `fields`", "params query searchparams qs querystring queryparams | search"],
  [
    "send text or bytes as `body`, JSON as `json`, a form as `fields` (with `encodeMultipart: false` urlencoded)",
    "data form formdata payload | content",
  ],
  ["give files as `fields`: { name: [fileName, data, contentType] }", "files attachments"],
  [
    "method and URL are the first two arguments: request(method, url, options)",
    "method url uri href | path pathname",
  ],
  [
    "give whole URLs, or make requests with paths on a pool: connectionFromUrl(url).request(method, path)",
    "baseurl prefixurl baseuri",
  ],
  [
    "a manager keeps its connections itself: give pool and TLS options to new PoolManager()",
    "agent httpagent httpsagent dispatcher | client session adapter transport fetch",
  ],
  [
    'give managers `caCertData` or `caCerts` to trust other authorities, `certReqs: "CERT_NONE"` to trust anybody',
    "verify rejectunauthorized strictssl insecure ca cafile capath | ssl tls https",
  ],
  ["it is `certFile` and `keyFile`, options of managers", "cert pfx certificate clientcert | key"],
  ["it is `keyPassword`, an option of managers", "passphrase"],
  ["it is `serverHostname`, an option of managers", "servername sni"],
  ["it is `assertHostname`, an option of managers", "checkserveridentity checkhostname"],
  ["it is `sslMinimumVersion`, an option of managers", "minversion mintlsversion"],
  ["it is `sslMaximumVersion`, an option of managers", "maxversion maxtlsversion"],
  ["it is `sslContext`, an option of managers", "securecontext ciphers secureprotocol"],
  [
    'send credentials as headers: { headers: makeHeaders({ basicAuth: "user:password" }) }',
    "auth username password basicauth authorization httpauth | user pass bearer token credentials",
  ],
  [
    'take a `cookieJar`, or send cookies as headers: { headers: { Cookie: "name=value" } }',
    "cookies jar cookie",
  ],
  ["it is a header: { headers: makeHeaders({ userAgent }) }", "useragent"],
  [
    "`preloadContent: false` streams the body; text(), json() and bytes() of the response read it",
    "stream isstream responsetype parsejson resolvebodyonly asbuffer | encoding buffer",
  ],
  ["it is `redirect`: true or false", "allowredirects followredirect followredirects followlocation"],
  ["it is `retries: new Retry({ redirect: number })`", "maxredirects maxredirections maxredirs | follow"],
  ["it is `retries`: a number or a Retry", "retry maxretries retrylimit retrydelay retryoptions"],
  [
    "it is `timeout`: a number of ms, or new Timeout({ connect, read, total }); `deadline` is for the whole request",
    "connecttimeout readtimeout requesttimeout headerstimeout bodytimeout responsetimeout sockettimeout timeoutms totaltimeout",
  ],
  [
    "connections are kept alive unless `keepAliveTimeout` is 0; see also `maxsize`",
    "keepalive keepalivemsecs maxfreesockets pipelining",
  ],
  ["it is `maxsize`: connections of one pool", "poolmaxsize maxsockets connections maxconnectionsperhost"],
  ["it is `maxConnections`: connections of all pools", "maxtotalsockets limits"],
  ["it is `numPools`", "poolconnections maxpools maxorigins"],
  ["it is `block`", "poolblock"],
  ["it is `decodeContent`", "decompress gzip compress"],
  ["it is `maxDecodedSize`", "maxcontentlength maxresponsesize maxbodylength maxbodysize | size"],
  ["it is `maxHeaderSize`", "maxheaderssize maxheaderslength"],
  [
    "an error status is no error: ask response.ok, call response.raiseForStatus(), or retry by `statusForcelist`",
    "throwhttperrors validatestatus throwonerror raiseforstatus simple",
  ],
  ["it is `signal`: an AbortSignal", "canceltoken abortsignal abortcontroller cancel"],
  [
    "it is `proxy`: a URL, an option of managers; see also proxyFromEnv()",
    "proxies proxyurl httpproxy httpsproxy",
  ],
  ["it is `lookup`, an option of managers", "dnslookup resolver | family"],
  ["it is `sourceAddress`, an option of managers", "localaddress"],
  ["it is `onDownloadProgress` or `onUploadProgress`", "onprogress"],
  ["see `onRequest` and `onResponse`", "hooks beforerequest afterresponse interceptors beforesend"],
  [
    "it is for fetch(), and has no meaning here",
    "referrer referrerpolicy duplex | mode cache integrity priority window",
  ],
  ["it is an option of downloadTo()", "digest resume"],
];

/**
 * Refuses an option that `level` does not take, but for names of one's own: those are legal for managers and pools.
 * Throws `InvalidArgumentError` that says what may have been meant.
 */
export function refuseUnknown(name: string, level: OptionLevel, value: unknown): void {
  const what = `${WHOSE[level]} ${show(name)}`;
  const rule = ruleOf(name);
  if (rule !== undefined) {
    // Whatever spreads its options may leave nothing where there is nothing.
    if (value === null) return;
    throw new InvalidArgumentError(`${show(name)} is no ${WHOSE[level]}: it is for ${TAKEN_BY[rule.at]}`);
  }
  const spelling = plain(name);
  const advice = adviceFor(spelling, level);
  if (advice !== undefined) throw new InvalidArgumentError(`Unknown ${what}: ${advice}`);
  const meant = closest(spelling);
  if (meant !== undefined) throw new InvalidArgumentError(`Unknown ${what}: did you mean ${show(meant)}?`);
  if (level !== "call") return;
  throw new InvalidArgumentError(
    `Unknown ${what}. Options of your own need allowUnknownOptions: true, or a pool key class that names them`,
  );
}

let advices: ReadonlyMap<string, readonly [advice: string, callsOnly: boolean]> | null = null;

function adviceFor(spelling: string, level: OptionLevel): string | undefined {
  advices ??= readAdvices();
  const [advice, callsOnly] = advices.get(spelling) ?? [undefined, false];
  return callsOnly && level !== "call" ? undefined : advice;
}

function readAdvices(): Map<string, readonly [string, boolean]> {
  const map = new Map<string, readonly [string, boolean]>();
  for (const [advice, names] of FOREIGN) {
    const [always = "", callsOnly = ""] = names.split(" | ");
    for (const name of always.split(" ")) map.set(name, [advice, false]);
    for (const name of callsOnly.split(" ")) if (name !== "") map.set(name, [advice, true]);
  }
  return map;
}

/** Names are compared without case, `_` and `-`: `num_pools` is `numPools`. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, "");
}

/** The option whose name is nearest to `spelling`, if it is near enough to be a slip. */
function closest(spelling: string): string | undefined {
  const most = spelling.length < 6 ? 1 : 2;
  let best: string | undefined;
  let least = most + 1;
  for (const name of Object.keys(OPTION_RULES)) {
    const distance = editDistance(spelling, plain(name), least);
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words; `limit` where it is at least that. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_unused, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j - 1]! + (same ? 0 : 1), row[j]! + 1, next[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, before[j - 2]! + 1);
      next.push(cost);
    }
    [before, row] = [row, next];
  }
  return Math.min(row[b.length]!, limit);
}
