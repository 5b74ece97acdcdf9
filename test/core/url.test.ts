import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InvalidArgumentError, LocationParseError } from "../../src/core/errors.ts";
import {
  DEFAULT_PORTS,
  decodeLocation,
  encodeTarget,
  parseUrl,
  resolveUrl,
  sameOrigin,
  Url,
} from "../../src/core/url.ts";

const SEED = 20260101;

type Row = [
  text: string,
  scheme: string | null,
  auth: string | null,
  host: string | null,
  port: number | null,
  path: string | null,
  query: string | null,
  fragment: string | null,
];

function row(text: string): Row {
  const { scheme, auth, host, port, path, query, fragment } = parseUrl(text);
  return [text, scheme, auth, host, port, path, query, fragment];
}

const PARSED: readonly Row[] = [
  ["", null, null, null, null, null, null, null],
  ["http://EXAMPLE.com:080/a/../b?x=%2f#%7e", "http", null, "example.com", 80, "/b", "x=%2F", "%7E"],
  ["google.com:80", null, null, "google.com", 80, null, null, null],
  ["google.com/mail", null, null, "google.com", null, "/mail", null, null],
  ["localhost:8080/x", "localhost", null, null, null, "/8080/x", null, null],
  ["h:80", "h", null, null, null, "/80", null, null],
  ["evil.com://good.com", null, null, "evil.com", null, "//good.com", null, null],
  ["http://a:", "http", null, "a", null, null, null, null],
  ["http://a:0", "http", null, "a", 0, null, null, null],
  ["http://a:00", "http", null, "a", 0, null, null, null],
  ["http://a:00080", "http", null, "a", 80, null, null, null],
  ["http://a:000000000000000065535", "http", null, "a", 65535, null, null, null],
  ["http://user@x:p@h/", "http", "user%40x:p", "h", null, "/", null, null],
  ["http://@h/", "http", null, "h", null, "/", null, null],
  ["http://a:@h:/", "http", "a:", "h", null, "/", null, null],
  ["http://u:p w@h", "http", "u:p%20w", "h", null, null, null, null],
  ["http://:80/", "http", null, "", 80, "/", null, null],
  ["http://h?", "http", null, "h", null, "", "", null],
  ["http://h#", "http", null, "h", null, "", null, ""],
  ["http://h/?", "http", null, "h", null, "/", "", null],
  ["http://h?a?b#c?d", "http", null, "h", null, "", "a?b", "c?d"],
  ["?x", null, null, null, null, "", "x", null],
  ["#f", null, null, null, null, "", null, "f"],
  ["/", null, null, null, null, "/", null, null],
  ["//h/p", null, null, "h", null, "/p", null, null],
  ["///p", null, null, null, null, "/p", null, null],
  ["/..//x", null, null, null, null, "/x", null, null],
  ["/a//b", null, null, null, null, "/a//b", null, null],
  ["http://h/a/./b/..", "http", null, "h", null, "/a/", null, null],
  ["http://h/%zz", "http", null, "h", null, "/%25zz", null, null],
  ["http://h/a%b", "http", null, "h", null, "/a%25b", null, null],
  ["http://h/a%20%zz", "http", null, "h", null, "/a%2520%25zz", null, null],
  ["http://h/a%2f%zz", "http", null, "h", null, "/a%252F%25zz", null, null],
  ['http://h/a|b^`{}"<>', "http", null, "h", null, "/a%7Cb%5E%60%7B%7D%22%3C%3E", null, null],
  ["http://h/é€😀\ud800", "http", null, "h", null, "/%C3%A9%E2%82%AC%F0%9F%98%80%ED%A0%80", null, null],
  ["http://h\\@evil/", "http", null, "h", null, "/%5C@evil/", null, null],
  ["http:\\\\evil", "http", null, null, null, "/%5C%5Cevil", null, null],
  ["http://[::1%25eth0]/", "http", null, "[::1%eth0]", null, "/", null, null],
  ["http://[::1%eth0]/", "http", null, "[::1%eth0]", null, "/", null, null],
  ["http://[FE80::A%25EN1]:8", "http", null, "[fe80::a%EN1]", 8, null, null, null],
  ["http://[::1%25]/", "http", null, "[::1%25]", null, "/", null, null],
  ["http://[::1%25%41%c3]/", "http", null, "[::1%%41%C3]", null, "/", null, null],
  ["http://[::ffff:1.2.3.4]/", "http", null, "[::ffff:1.2.3.4]", null, "/", null, null],
  ["http://a%2eb/", "http", null, "a.b", null, "/", null, null],
  ["http://a%20b/", "http", null, "a%20b", null, "/", null, null],
  ["http://%41%2fB/", "http", null, "a%2Fb", null, "/", null, null],
  ["http://10.0.0.1/", "http", null, "10.0.0.1", null, "/", null, null],
  ["http://Ä.de", "http", null, "xn--4ca.de", null, null, null, null],
  ["http://ß.de", "http", null, "xn--zca.de", null, null, null, null],
  ["Königsgäßchen.de/straße", null, null, "xn--knigsgchen-b4a3dun.de", null, "/stra%C3%9Fe", null, null],
  ["ftp://H/A/../B?x y", "ftp", null, "H", null, "/A/../B", "x y", null],
  ["FTP://[::1%25E]", "ftp", null, "[::1%25E]", null, null, null, null],
  ["HTTP+unix://%2Fa/x", "http+unix", null, "%2Fa", null, "/x", null, null],
  ["http://a..b/", "http", null, "a..b", null, "/", null, null],
  [`http://${"a".repeat(64)}/`, "http", null, "a".repeat(64), null, "/", null, null],
  ["http://-a.com/", "http", null, "-a.com", null, "/", null, null],
  ["javascript:alert(1)", "javascript", null, null, null, "/alert(1)", null, null],
  ["10.0.0.1:7?a=1 HTTP/1.1\r\nX: y", null, null, "10.0.0.1", 7, "", "a=1%20HTTP/1.1%0D%0AX:%20y", null],
  ["http://h/\0\n\r\x7f#\r\n", "http", null, "h", null, "/%00%0A%0D%7F", null, "%0D%0A"],
];

test("parseUrl takes URLs apart as urllib3 does", () => {
  for (const expected of PARSED) assert.deepEqual(row(expected[0]), expected);
});

const REFUSED: readonly string[] = [
  "http://a:100000",
  "http://a:65536",
  "http://a:000000000000000065536",
  `http://a:${"9".repeat(400)}`,
  "http://::1/",
  "::1",
  "http://h:80:90/",
  "http://h:+80/",
  "http://h:-80/",
  "http://h:٣/",
  "google.com:foobar",
  "http://[v1.x]/",
  "http://[::1]x/",
  "http://x[::1]/",
  "http://[::1",
  "http://[::1::2]/",
  "http://[::1%]/",
  "http://[::1%25 ]/",
  "http://[::1%25%0a]/",
  "http://[::1%25a!]/",
  "http://a%b/",
  "http://a%0ab/",
  "http://a%7F/",
  "http://a b/",
  "http://a\tb/",
  "http://a\x7f/",
  "ftp://a b/",
  "http+unix://a\0/",
  " http://h",
  "http://h\n/",
  "http://h\r\nX: y/",
  "http://a\u200db.net/",
  "http://ex＠ample/",
];

test("parseUrl refuses what is no URL", () => {
  for (const text of REFUSED) assert.throws(() => parseUrl(text), LocationParseError, JSON.stringify(text));
});

test("parseUrl wants a string or a URL", () => {
  for (const value of [1, {}, Buffer.from("http://h"), ["http://h"]]) {
    assert.throws(() => parseUrl(value as unknown as string), InvalidArgumentError);
  }
  assert.deepEqual(parseUrl(new URL("http://u:p@h:8080/a?b#c")), parseUrl("http://u:p@h:8080/a?b#c"));
  const parsed = parseUrl("http://h/");
  assert.equal(parseUrl(parsed), parsed);
  assert.deepEqual(parseUrl(null as unknown as string), new Url());
});

test("an error about a URL says what was wrong and holds no credentials", () => {
  for (const text of ["http://me:secret@h:99999/p", "a.b:secret@h:99999/p", "//m e:s@a secret@h:99999/p"]) {
    assert.throws(
      () => parseUrl(text),
      (error: LocationParseError) => {
        assert.ok(!JSON.stringify(error).includes("secret"));
        assert.ok(!String(error.stack).includes("secret"));
        assert.match(error.message, /^Failed to parse: .*h:99999\/p$/);
        assert.match((error.cause as Error).message, /99999 is greater/);
        return true;
      },
    );
  }
});

test("a Url is put together from its parts", () => {
  const url = parseUrl("http://u:p@[::1]:0/a?b#c");
  assert.equal(url.requestUri, "/a?b");
  assert.equal(url.netloc, "[::1]:0");
  assert.equal(url.authority, "u:p@[::1]:0");
  assert.equal(url.hostname, "[::1]");
  assert.equal(url.url, "http://u:p@[::1]:0/a?b#c");
  assert.equal(`${url}`, url.url);
  assert.equal(parseUrl("http://h").requestUri, "/");
  assert.equal(parseUrl("http://h?").requestUri, "/?");
  assert.equal(parseUrl("/p?q").netloc, null);
  assert.equal(parseUrl("/p?q").authority, null);
  assert.equal(new Url({ scheme: "HTTP", host: "H", path: "p" }).url, "http://H/p");
});

test("a Url cannot be changed", () => {
  const url = parseUrl("http://h") as { host: string | null };
  assert.throws(() => {
    url.host = "evil";
  }, TypeError);
});

test("a Url is written as urllib3 writes it", () => {
  const texts: readonly [string, string][] = [
    ["http://google.com/mail?", "http://google.com/mail?"],
    ["http://google.com:080#", "http://google.com:80#"],
    ["google.com:80", "google.com:80"],
    ["javascript:alert(1)", "javascript:///alert(1)"],
    ["http:///p", "http:///p"],
    ["ftp:////x", "ftp:////x"],
    ["/a?b#c", "/a?b#c"],
    // Without the mark these would be read back as something else.
    ["//localhost:80/x", "//localhost:80/x"],
    ["//u:p@h", "//u:p@h"],
    ["/a/..//x", "////x"],
  ];
  for (const [text, written] of texts) assert.equal(parseUrl(text).url, written);
});

test("authDecoded splits at the first colon, then decodes", () => {
  const cases: readonly [string, string | null, string | null, string | null][] = [
    ["http://h", null, null, null],
    ["http://u@h", "u", null, "u:"],
    ["http://u:@h", "u", "", "u:"],
    ["http://:p@h", "", "p", ":p"],
    ["http://a%3Ab:c:d%40%C3%A9@h", "a:b", "c:d@é", "a:b:c:d@é"],
    ["http://%FF@h", "\ufffd", null, "\ufffd:"],
  ];
  for (const [text, user, password, joined] of cases) {
    assert.deepEqual(parseUrl(text).authDecoded, [user, password]);
    assert.equal(parseUrl(text).authDecodedJoined, joined);
  }
});

/** RFC 3986 §5.4 against `http://a/b/c/d;p?q`. */
const REFERENCES: readonly [reference: string, resolved: string][] = [
  ["g", "http://a/b/c/g"],
  ["./g", "http://a/b/c/g"],
  ["g/", "http://a/b/c/g/"],
  ["/g", "http://a/g"],
  ["//g", "http://g"],
  ["?y", "http://a/b/c/d;p?y"],
  ["g?y", "http://a/b/c/g?y"],
  ["#s", "http://a/b/c/d;p?q#s"],
  ["g#s", "http://a/b/c/g#s"],
  ["g?y#s", "http://a/b/c/g?y#s"],
  [";x", "http://a/b/c/;x"],
  ["g;x", "http://a/b/c/g;x"],
  ["g;x?y#s", "http://a/b/c/g;x?y#s"],
  ["", "http://a/b/c/d;p?q"],
  [".", "http://a/b/c/"],
  ["./", "http://a/b/c/"],
  ["..", "http://a/b/"],
  ["../", "http://a/b/"],
  ["../g", "http://a/b/g"],
  ["../..", "http://a/"],
  ["../../", "http://a/"],
  ["../../g", "http://a/g"],
  ["../../../g", "http://a/g"],
  ["../../../../g", "http://a/g"],
  ["/./g", "http://a/g"],
  ["/../g", "http://a/g"],
  ["g.", "http://a/b/c/g."],
  [".g", "http://a/b/c/.g"],
  ["g..", "http://a/b/c/g.."],
  ["..g", "http://a/b/c/..g"],
  ["./../g", "http://a/b/g"],
  ["./g/.", "http://a/b/c/g/"],
  ["g/./h", "http://a/b/c/g/h"],
  ["g/../h", "http://a/b/c/h"],
  ["g;x=1/./y", "http://a/b/c/g;x=1/y"],
  ["g;x=1/../y", "http://a/b/c/y"],
  ["g?y/./x", "http://a/b/c/g?y/./x"],
  ["g?y/../x", "http://a/b/c/g?y/../x"],
  ["g#s/./x", "http://a/b/c/g#s/./x"],
  ["g#s/../x", "http://a/b/c/g#s/../x"],
  ["http:g", "http://a/b/c/g"],
  // Beyond the RFC's list.
  ["https://B:8/../x", "https://b:8/x"],
  ["ftp:g", "ftp:///g"],
  ["1a:b", "http://a/b/c/1a:b"],
  ["\\\\evil", "http://a/b/c/%5C%5Cevil"],
  ["/\\evil", "http://a/%5Cevil"],
  ["//h\\@evil", "http://h/%5C@evil"],
  [".//evil", "http://a/b/c//evil"],
  ["é x?ü", "http://a/b/c/%C3%A9%20x?%C3%BC"],
];

test("resolveUrl resolves references as RFC 3986 says", () => {
  const base = parseUrl("http://a/b/c/d;p?q");
  for (const [reference, resolved] of REFERENCES)
    assert.equal(resolveUrl(base, reference).url, resolved, reference);
});

test("resolveUrl keeps the base's fragment, port, credentials and escapes", () => {
  const base = parseUrl("http://u:p@a:8/x%20y/z?q#frag");
  assert.equal(resolveUrl(base, "w").url, "http://u:p@a:8/x%20y/w#frag");
  assert.equal(resolveUrl(base, "w#").url, "http://u:p@a:8/x%20y/w#");
  assert.equal(resolveUrl(base, "w#new").url, "http://u:p@a:8/x%20y/w#new");
  assert.equal(resolveUrl(base, "https://b/").url, "https://b/#frag");
  assert.equal(resolveUrl(base, "https://b").url, "https://b#frag");
  assert.equal(resolveUrl(base, "//b").auth, null);
  assert.equal(resolveUrl(base, "%zz").url, "http://u:p@a:8/x%20y/%25zz#frag");
  assert.equal(resolveUrl(parseUrl("http://a"), "g").url, "http://a/g");
  assert.equal(resolveUrl(parseUrl("http://a"), "?g").url, "http://a?g");
  assert.deepEqual(resolveUrl(parseUrl("http://a"), ""), parseUrl("http://a"));
});

test("resolveUrl refuses what leads nowhere", () => {
  const base = parseUrl("http://u:secret@a/b");
  for (const reference of [
    "http://h:99999/",
    "//a b/",
    "///p",
    "https:p",
    "http:///p",
    "//me:secret@[x]/",
    "//:80/",
  ]) {
    assert.throws(
      () => resolveUrl(base, reference),
      (error: unknown) => error instanceof LocationParseError && !error.message.includes("secret"),
      reference,
    );
  }
  assert.throws(() => resolveUrl(base, undefined as unknown as string), InvalidArgumentError);
});

test("decodeLocation decodes UTF-8, and nothing else", () => {
  assert.equal(decodeLocation("/plain?x"), "/plain?x");
  assert.equal(decodeLocation(Buffer.from("/é/日本").toString("latin1")), "/é/日本");
  assert.equal(decodeLocation("/\xe9"), "/\xe9");
  assert.equal(decodeLocation("/\xc3\xa9\xe9"), "/\xc3\xa9\xe9");
  assert.equal(decodeLocation("/日"), "/日");
});

test("encodeTarget encodes, cuts the fragment and leaves the rest", () => {
  const targets: readonly [string, string][] = [
    ["/", "/"],
    ["//v:h/../x?", "//v:h/../x?"],
    ["/a b?c d?e#f?g", "/a%20b?c%20d?e"],
    ["/a#b?c", "/a"],
    ["/%2f%zz?%2f", "/%252F%25zz?%2F"],
    ["/\r\nX: y?\\", "/%0D%0AX:%20y?%5C"],
  ];
  for (const [target, encoded] of targets) assert.equal(encodeTarget(target), encoded);
  for (const target of ["", "x", "?x", "*", "http://h/"]) {
    assert.throws(() => encodeTarget(target), LocationParseError);
  }
});

test("sameOrigin compares scheme, host and effective port", () => {
  const pairs: readonly [string, string, boolean][] = [
    ["http://h/a", "http://H:80/b", true],
    ["https://h", "https://u@h:443", true],
    ["//h", "http://h", true],
    ["http://h", "https://h", false],
    ["http://h:443", "https://h:443", false],
    ["http://h", "http://h:81", false],
    ["http://h:0", "http://h", false],
    ["http://h:0", "http://h:0", true],
    ["http://h", "http://h.", false],
    ["http://[::1%a]", "http://[::1%b]", false],
    ["http://[::1%a]", "http://[::1%25a]", true],
    ["x://h", "x://H", false],
    ["constructor://h:80", "constructor://h", false],
    ["http:///", "http:///", false],
  ];
  for (const [a, b, same] of pairs) assert.equal(sameOrigin(parseUrl(a), parseUrl(b)), same, `${a} ${b}`);
});

test("DEFAULT_PORTS knows schemes only, and can learn more", () => {
  assert.deepEqual({ ...DEFAULT_PORTS }, { http: 80, https: 443 });
  assert.equal(DEFAULT_PORTS.constructor, undefined);
  DEFAULT_PORTS.gopher = 70;
  assert.equal(sameOrigin(parseUrl("gopher://h"), parseUrl("gopher://h:70")), true);
  delete DEFAULT_PORTS.gopher;
});

test("parsing takes linear time", () => {
  const n = 300_000;
  const texts = [
    `http://${"@".repeat(n)}h`,
    `http://${"a".repeat(n)}%`,
    `http://${":1".repeat(n)}`,
    `http://[::1%${"a".repeat(n)}]/`,
    `http://h/${"%".repeat(n)}`,
    `http://h${"/a/..".repeat(n)}`,
    `http://h:${"0".repeat(n)}80`,
    `http://${"ü".repeat(n)}`,
    `${"a".repeat(n)}://`,
  ];
  const begin = performance.now();
  for (const text of texts) {
    try {
      parseUrl(text);
    } catch (error) {
      assert.ok(error instanceof LocationParseError);
    }
  }
  assert.ok(performance.now() - begin < 10_000);
});

const PIECES = [
  ..."aB1%:/?#@[].\\ -_~+&é日☃א\n\u00b7\ud800",
  ..."http:// https:// ftp:// // .. /../ /./ h.com :80 :0 %41 %2f %zz [::1] [FE80::1%25eth] xn-- u:p@ localhost".split(
    " ",
  ),
];
const urlText = fc
  .tuple(
    fc.constantFrom("", "http://", "HTTPS://h", "ftp://", "//"),
    fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }),
  )
  .map(([start, pieces]) => start + pieces.join(""));

function parsed(text: string): Url | undefined {
  try {
    return parseUrl(text);
  } catch (error) {
    assert.ok(error instanceof LocationParseError);
    return undefined;
  }
}

test("property: what parseUrl gives is read back the same", () => {
  fc.assert(
    fc.property(urlText, (text) => {
      const url = parsed(text);
      if (url === undefined) return;
      const again = parseUrl(url.toString());
      assert.equal(again.toString(), url.toString());
      // An empty host is not written, so it cannot be told from none.
      if (url.host !== "") assert.deepEqual(again, url);
    }),
    { seed: SEED, numRuns: 5000 },
  );
});

test("property: a normalised URL holds only what may go on the wire", () => {
  fc.assert(
    fc.property(urlText, (text) => {
      const url = parsed(text);
      if (url === undefined || (url.scheme !== null && !/^https?$/.test(url.scheme))) return;
      assert.match(url.url, /^[\x21-\x7e]*$/);
      assert.match(url.requestUri, /^\/[\x21-\x7e]*$/);
    }),
    { seed: SEED, numRuns: 5000 },
  );
});

test("property: encodeTarget changes nothing that it encoded", () => {
  fc.assert(
    fc.property(urlText, (text) => {
      const target = encodeTarget(`/${text}`);
      assert.match(target, /^\/[\x21-\x7e]*$/);
      assert.ok(!target.includes("#"));
      assert.equal(encodeTarget(target), target);
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test("property: only a scheme or two slashes lead to another origin", () => {
  const base = parseUrl("http://a:8/b/c?d");
  fc.assert(
    fc.property(urlText, (reference) => {
      if (/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(reference)) return;
      const resolved = resolveUrl(base, reference);
      assert.ok(sameOrigin(base, resolved));
      assert.deepEqual(parseUrl(resolved.url), resolved);
    }),
    { seed: SEED, numRuns: 2000 },
  );
});
