import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LocationParseError } from "../../src/core/errors.ts";
import { HTTPHeaderDict } from "../../src/core/headers.ts";
import { parseUrl } from "../../src/core/url.ts";
import {
  isRedirect,
  isRedirectStatus,
  type NextHop,
  nextHop,
  REDIRECT_STATUSES,
  type RedirectFacts,
} from "../../src/policy/redirect.ts";
import { Retry } from "../../src/policy/retry.ts";

type Facts = Partial<Omit<RedirectFacts, "url">> & { url?: string };

const ORIGIN = "http://a.test/dir/page?q=1";

function hop({ url = ORIGIN, ...facts }: Facts = {}): NextHop {
  return nextHop({
    method: "GET",
    url: parseUrl(url),
    headers: null,
    status: 302,
    location: "/next",
    hasBody: false,
    removeHeadersOnRedirect: Retry.DEFAULT.removeHeadersOnRedirect,
    ...facts,
  });
}

function names(next: NextHop): string[] {
  return [...(next.headers?.items() ?? [])].map(([name]) => name.toLowerCase()).sort();
}

test("redirect statuses are exactly these", () => {
  const statuses = Array.from({ length: 1_000 }, (_, status) => status).filter(isRedirectStatus);
  assert.deepEqual(statuses, [301, 302, 303, 307, 308]);
  assert.deepEqual([...REDIRECT_STATUSES], statuses);
});

test("a redirect has a Location that is not empty", () => {
  assert.equal(isRedirect(302, "/next"), true);
  assert.equal(isRedirect(302, ""), false);
  assert.equal(isRedirect(302, null), false);
  assert.equal(isRedirect(302, undefined), false);
  assert.equal(isRedirect(200, "/next"), false);
  assert.equal(isRedirect(304, "/next"), false);
  assert.equal(isRedirect(300, "/next"), false);
});

const locations: [location: string, url: string][] = [
  ["/next", "http://a.test/next"],
  ["next", "http://a.test/dir/next"],
  ["../up", "http://a.test/up"],
  ["?x=2", "http://a.test/dir/page?x=2"],
  ["//b.test/x", "http://b.test/x"],
  ["http://b.test", "http://b.test"],
  ["HTTPS://B.test/X", "https://b.test/X"],
  ["http://a.test:8080/", "http://a.test:8080/"],
  ["http://user:pass@b.test/x", "http://b.test/x"],
  ["//user:pass@a.test/x", "http://a.test/x"],
  ["/caf\u00c3\u00a9", "http://a.test/caf%C3%A9"], // UTF-8, read as Latin-1
  ["/a b", "http://a.test/a%20b"],
];

test("PM-36: Location is resolved against the request's URL, without its userinfo", () => {
  for (const [location, url] of locations) {
    const next = hop({ location });
    assert.equal(next.url.url, url, location);
    assert.equal(next.url.auth, null, location);
  }
});

test("the request's own userinfo does not follow either", () => {
  assert.equal(hop({ url: "http://user:pass@a.test/", location: "x" }).url.url, "http://a.test/x");
});

test("a malformed Location is an error", () => {
  for (const location of ["http://[::1/", "http://b.test:99999/", "http://b.test:x/", "http://"])
    assert.throws(() => hop({ location }), LocationParseError, location);
});

test("PM-47: another scheme is not judged here", () => {
  assert.equal(hop({ location: "ftp://a.test/x" }).url.scheme, "ftp");
  assert.equal(hop({ location: "ftp://a.test/x" }).crossOrigin, true);
  assert.equal(hop({ location: "mailto:someone" }).crossOrigin, true);
});

const origins: [from: string, location: string, crossOrigin: boolean][] = [
  ["http://a.test/", "/x", false],
  ["http://a.test/", "http://A.TEST/x", false],
  ["http://a.test/", "http://a.test:80/x", false],
  ["https://a.test/", "https://a.test:443/x", false],
  ["http://a.test:80/", "http://a.test/x", false],
  ["http://a.test/", "http://b.test/x", true],
  ["http://a.test/", "http://a.test:8080/x", true],
  ["http://a.test/", "https://a.test/x", true],
  ["https://a.test/", "http://a.test/x", true],
  ["https://a.test/", "//a.test/x", false],
  ["https://a.test:80/", "http://a.test/x", true],
  ["http://a.test/", "http://sub.a.test/x", true],
];

test("PM-60: the origin is scheme, host and effective port", () => {
  for (const [url, location, crossOrigin] of origins)
    assert.equal(hop({ url, location }).crossOrigin, crossOrigin, `${url} -> ${location}`);
});

// [status, method, method after it, is the body dropped]
const methods: [status: number, method: string, expected: string, dropBody: boolean][] = [
  [301, "POST", "POST", false],
  [302, "POST", "POST", false],
  [307, "POST", "POST", false],
  [308, "POST", "POST", false],
  [302, "HEAD", "HEAD", false],
  [302, "PURGE", "PURGE", false],
  [303, "POST", "GET", true],
  [303, "PUT", "GET", true],
  [303, "GET", "GET", true],
  [303, "HEAD", "HEAD", true],
  [303, "DELETE", "GET", true],
];

test("PM-57, PM-58: only 303 turns to GET, and HEAD stays HEAD", () => {
  for (const [status, method, expected, dropBody] of methods) {
    const next = hop({ status, method, hasBody: true });
    assert.deepEqual([next.method, next.dropBody], [expected, dropBody], `${status} ${method}`);
    assert.equal(hop({ status, method, hasBody: false }).dropBody, false);
  }
});

const BODY_FIELDS = {
  "Content-Type": "text/plain",
  "content-length": "3",
  "Content-Encoding": "gzip",
  "Content-Language": "en",
  "Content-Location": "/x",
  Digest: "x",
  "Last-Modified": "x",
  "Transfer-Encoding": "chunked",
  Trailer: "x",
  Expect: "100-continue",
};

test("PM-46: a 303 leaves the fields about the body behind, and no others", () => {
  const headers = new HTTPHeaderDict({ ...BODY_FIELDS, Accept: "*/*", Host: "h", Authorization: "x" });
  assert.deepEqual(names(hop({ status: 303, method: "POST", hasBody: true, headers })), [
    "accept",
    "authorization",
    "host",
  ]);
});

test("all other statuses keep them", () => {
  const headers = new HTTPHeaderDict(BODY_FIELDS);
  for (const status of [301, 302, 307, 308]) {
    const expected = Object.keys(BODY_FIELDS).map((name) => name.toLowerCase());
    assert.deepEqual(names(hop({ status, headers })), expected.sort());
    assert.deepEqual(names(hop({ status, headers, location: "//b.test/" })), expected.sort());
  }
});

const SECRETS = { COOKIE: "a=1", Authorization: "Basic x", "proxy-AUTHORIZATION": "Basic y" };

test("PM-42: credentials, in any case, and Host do not go to another origin", () => {
  const headers = new HTTPHeaderDict({ ...SECRETS, hOsT: "a.test", Accept: "*/*", "X-Api-Key": "1" });
  for (const location of ["//b.test/", "https://a.test/", "http://a.test:8080/"])
    assert.deepEqual(names(hop({ headers, location })), ["accept", "x-api-key"]);
  for (const location of ["/x", "http://a.test:80/"])
    assert.equal(hop({ headers, location }).headers, headers);
});

test("PM-43: an empty list keeps them, but not Host", () => {
  const headers = new HTTPHeaderDict({ ...SECRETS, Host: "a.test" });
  const next = hop({ headers, location: "//b.test/", removeHeadersOnRedirect: new Set() });
  assert.deepEqual(names(next), ["authorization", "cookie", "proxy-authorization"]);
});

test("PM-44: a list of one's own; the caller's fields are never modified", () => {
  const fields = { ...SECRETS, "X-API-Secret": "1", "Content-Type": "text/plain", Host: "a.test" };
  const headers = new HTTPHeaderDict(fields);
  const { removeHeadersOnRedirect } = new Retry({ removeHeadersOnRedirect: ["X-API-Secret"] });
  const next = hop({ headers, location: "//b.test/", status: 303, removeHeadersOnRedirect });
  assert.deepEqual(names(next), ["authorization", "cookie", "proxy-authorization"]);
  assert.deepEqual([...headers.items()], Object.entries(fields));
});

test("several values of a field that goes along stay several", () => {
  const headers = new HTTPHeaderDict([
    ["X-A", "1"],
    ["X-A", "2"],
    ["Cookie", "c"],
  ]);
  const next = hop({ headers, location: "//b.test/" });
  assert.deepEqual(
    [...(next.headers?.items() ?? [])],
    [
      ["X-A", "1"],
      ["X-A", "2"],
    ],
  );
});

test("no fields stay no fields", () => {
  assert.equal(hop({ status: 303, location: "//b.test/" }).headers, null);
});

test("property: no secret crosses an origin, no userinfo is kept, no other text than LocationParseError comes", () => {
  const host = fc.constantFrom(
    "a.test",
    "b.test",
    "A.test",
    "a.test:80",
    "a.test:443",
    "u:p@a.test",
    "a.test.",
  );
  const location = fc.oneof(
    fc
      .tuple(fc.constantFrom("http://", "https://", "//", "HTTP://"), host, fc.webPath())
      .map((parts) => parts.join("")),
    fc.string(),
  );
  const headers = new HTTPHeaderDict({ ...SECRETS, Host: "x" });
  const property = fc.property(location, fc.constantFrom(...REDIRECT_STATUSES), (text, status) => {
    let next: NextHop;
    try {
      next = hop({ location: text, status, headers });
    } catch (error) {
      assert.ok(error instanceof LocationParseError, String(error));
      return;
    }
    assert.equal(next.url.auth, null);
    const sameHost = next.url.scheme === "http" && next.url.host === "a.test" && (next.url.port ?? 80) === 80;
    assert.equal(next.crossOrigin, !sameHost);
    assert.equal(next.headers?.size, sameHost ? 4 : 0);
    assert.equal(headers.size, 4);
  });
  fc.assert(property, { seed: 20260101 });
});
