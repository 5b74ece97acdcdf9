/** Options that nothing here knows: what their caller may have meant. */

import { InvalidArgumentError } from "../core/errors.ts";
import { show } from "../core/shown.ts";
import { closest, plain } from "../core/spelling.ts";
import { OPTION_RULES, type OptionPlace, ruleOf } from "./options-table.ts";

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
  ["it is `sslMinimumVersion`, an option of managers", "minversion mintlsversion sslversion"],
  ["it is `sslMaximumVersion`, an option of managers", "maxversion maxtlsversion"],
  ["it is `sslContext`, an option of managers", "securecontext ciphers secureprotocol"],
  [
    'send credentials as headers: { headers: makeHeaders({ basicAuth: "user:password" }) }; those for a proxy stand in its URL',
    "auth username password basicauth authorization httpauth | user pass bearer token credentials",
  ],
  [
    'take a `cookieJar`, or send cookies as headers: { headers: { Cookie: "name=value" } }',
    "cookies jar cookie",
  ],
  [
    'credentials for a proxy stand in its URL, or in `proxyHeaders`: makeHeaders({ proxyBasicAuth: "user:password" })',
    "proxyauth proxyauthorization proxycredentials proxyusername proxypassword | proxytoken",
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
  [
    "see `onRequest` and `onResponse`",
    "hooks beforerequest afterresponse interceptors beforesend beforeredirect transformrequest transformresponse",
  ],
  [
    "write the query into the URL, or give `fields` as pairs of name and value",
    "paramsserializer querystringify",
  ],
  ["it is for browsers, and has no meaning here", "withcredentials xsrfcookiename xsrfheadername"],
  ["it is `http2`: true", "allowh2 httpversion h2 usehttp2"],
  ["it is `h2MaxStreams`", "maxconcurrentstreams"],
  ["it is `connectionMaxAge`", "clientttl socketactivettl maxlifetime"],
  ["it is `keepAliveTimeout`", "keepalivemaxtimeout freesockettimeout idletimeout"],
  ["it is `proxyTls`, an option of managers", "proxysslcontext requesttls"],
  [
    "addresses of both families are tried in turn; `lookup` can choose",
    "autoselectfamily dnslookupipversion",
  ],
  ['send it as a header: { headers: { Expect: "100-continue" } }', "expectcontinue | expect"],
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
  const advice = adviceFor(plain(name), level);
  if (advice !== undefined) throw new InvalidArgumentError(`Unknown ${what}: ${advice}`);
  const meant = closest(name, Object.keys(OPTION_RULES));
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
