import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InvalidArgumentError, LocationParseError } from "../../src/core/errors.ts";
import {
  type Environment,
  type ProxyTarget,
  parseNoProxy,
  proxyForUrl,
  proxyRules,
} from "../../src/manager/proxy-env.ts";

const SEED = { seed: 20260101 };
const PROXY = "http://proxy.test:3128";

type Row = [list: string, url: string, expected: "direct" | "proxy"];

// biome-ignore format: a table
const NO_PROXY: Row[] = [
  // Nothing listed.
  ["", "http://example.com/", "proxy"],
  [" ", "http://example.com/", "proxy"],
  [",", "http://example.com/", "proxy"],
  [" , ,, ", "http://example.com/", "proxy"],
  // The star.
  ["*", "http://example.com/", "direct"],
  ["*", "https://example.com:8443/", "direct"],
  ["*", "http://192.0.2.1/", "direct"],
  ["*", "http://[2001:db8::1]/", "direct"],
  [" * ", "http://example.com/", "direct"],
  ["other.test,*", "http://example.com/", "direct"],
  ["*,other.test", "http://192.0.2.1/", "direct"],
  ["other.test * third.test", "http://example.com/", "direct"],
  ["*:8080", "http://example.com:8080/", "direct"],
  ["*:8080", "http://example.com/", "proxy"],
  ["*:8080,*:81", "http://[::1]:81/", "direct"],
  ["*:8080,*", "http://example.com/", "direct"],
  ["**", "http://example.com/", "proxy"],
  // Names with their subdomains, at label boundaries only.
  ["example.com", "http://example.com/", "direct"],
  ["example.com", "https://example.com/path?query", "direct"],
  ["example.com", "http://www.example.com/", "direct"],
  ["example.com", "http://a.b.c.example.com/", "direct"],
  ["example.com", "http://notexample.com/", "proxy"],
  ["example.com", "http://not-example.com/", "proxy"],
  ["example.com", "http://example.com.evil.test/", "proxy"],
  ["example.com", "http://example.co/", "proxy"],
  ["example.com", "http://com/", "proxy"],
  ["example.com", "http://xample.com/", "proxy"],
  ["www.example.com", "http://example.com/", "proxy"],
  ["com", "http://example.com/", "direct"],
  ["com", "http://example.org/", "proxy"],
  ["example.com", "http://evil.test/?u=example.com", "proxy"],
  ["example.com", "http://evil.test/example.com", "proxy"],
  ["example.com", "http://example.com@evil.test/", "proxy"],
  ["example.com", "http://evil.test/#.example.com", "proxy"],
  ["intranet", "http://intranet/", "direct"],
  ["intranet", "http://intranet.example.com/", "proxy"],
  ["my_host.test", "http://my_host.test/", "direct"],
  // A dot or "*." before the name says nothing more.
  [".example.com", "http://example.com/", "direct"],
  [".example.com", "http://www.example.com/", "direct"],
  [".example.com", "http://notexample.com/", "proxy"],
  ["..example.com", "http://example.com/", "direct"],
  ["*.example.com", "http://example.com/", "direct"],
  ["*.example.com", "http://a.b.example.com/", "direct"],
  ["*.example.com", "http://notexample.com/", "proxy"],
  ["*.example.com:8080", "http://www.example.com:8080/", "direct"],
  ["*.example.com:8080", "http://www.example.com/", "proxy"],
  // A star elsewhere is no wildcard.
  ["*example.com", "http://example.com/", "proxy"],
  ["*example.com", "http://notexample.com/", "proxy"],
  ["ex*.com", "http://example.com/", "proxy"],
  ["www.*.com", "http://www.example.com/", "proxy"],
  ["192.168.*", "http://192.168.1.1/", "proxy"],
  ["*.", "http://example.com/", "proxy"],
  [".", "http://example.com/", "proxy"],
  // Separators.
  ["a.test,b.test", "http://b.test/", "direct"],
  ["a.test, b.test", "http://a.test/", "direct"],
  ["a.test b.test", "http://a.test/", "direct"],
  ["a.test b.test", "http://b.test/", "direct"],
  ["a.test\tb.test\nc.test", "http://c.test/", "direct"],
  [" , a.test ,, b.test , ", "http://b.test/", "direct"],
  ["a.test,b.test", "http://c.test/", "proxy"],
  ["a.test;b.test", "http://b.test/", "proxy"],
  ["a.test|b.test", "http://a.test/", "proxy"],
  // Case and trailing dots.
  ["EXAMPLE.com", "http://example.COM/", "direct"],
  [".Example.Com", "http://WWW.example.com/", "direct"],
  ["example.com", "http://example.com./", "direct"],
  ["example.com.", "http://example.com/", "direct"],
  ["example.com.", "http://www.example.com./", "direct"],
  ["example.com..", "http://example.com/", "direct"],
  [".example.com.:81", "http://example.com.:81/", "direct"],
  ["127.0.0.1.", "http://127.0.0.1/", "direct"],
  ["127.0.0.1", "http://127.0.0.1./", "direct"],
  // Ports.
  ["example.com:8080", "http://example.com:8080/", "direct"],
  ["example.com:8080", "http://www.example.com:8080/", "direct"],
  ["example.com:8080", "http://example.com/", "proxy"],
  ["example.com:8080", "http://example.com:8081/", "proxy"],
  ["example.com:80", "http://example.com/", "direct"],
  ["example.com:80", "https://example.com/", "proxy"],
  ["example.com:443", "https://example.com/", "direct"],
  ["example.com:443", "http://example.com/", "proxy"],
  ["example.com:443", "http://example.com:443/", "direct"],
  ["example.com:0080", "http://example.com/", "direct"],
  ["example.com:81,example.com:82", "http://example.com:81/", "direct"],
  ["example.com:81,example.com:82", "http://example.com:82/", "direct"],
  ["example.com:81,example.com:82", "http://example.com:83/", "proxy"],
  ["example.com:81,example.com", "http://example.com:83/", "direct"],
  ["example.com,example.com:81", "http://example.com:83/", "direct"],
  ["example.com:81,www.example.com:82", "http://www.example.com:81/", "direct"],
  ["example.com", "http://example.com:8080/", "direct"],
  ["example.com:", "http://example.com/", "proxy"],
  ["example.com:http", "http://example.com/", "proxy"],
  ["example.com:-80", "http://example.com/", "proxy"],
  ["example.com:65616", "http://example.com/", "proxy"],
  ["example.com:80:80", "http://example.com/", "proxy"],
  [":80", "http://example.com/", "proxy"],
  // IPv4 addresses.
  ["192.0.2.1", "http://192.0.2.1/", "direct"],
  ["192.0.2.1", "http://192.0.2.1:8080/", "direct"],
  ["192.0.2.1", "http://192.0.2.10/", "proxy"],
  ["192.0.2.1", "http://92.0.2.1/", "proxy"],
  ["92.0.2.1", "http://192.0.2.1/", "proxy"],
  ["2.1", "http://192.0.2.1/", "proxy"],
  [".2.1", "http://192.0.2.1/", "proxy"],
  ["1", "http://192.0.2.1/", "proxy"],
  ["192.0.2.1:8080", "http://192.0.2.1:8080/", "direct"],
  ["192.0.2.1:8080", "http://192.0.2.1/", "proxy"],
  ["127.0.0.1", "http://2130706433/", "direct"],
  ["127.0.0.1", "http://0x7f.1/", "direct"],
  ["127.0.0.1", "http://0177.0.0.1/", "direct"],
  ["0x7f000001", "http://127.0.0.1/", "direct"],
  ["192.0.2.256", "http://192.0.2.25/", "proxy"],
  ["192.0.2.1", "http://192.0.2.1.example.com/", "proxy"],
  // IPv6 addresses.
  ["::1", "http://[::1]/", "direct"],
  ["[::1]", "http://[::1]/", "direct"],
  ["::1", "http://[::1]:8080/", "direct"],
  ["::1", "http://[::2]/", "proxy"],
  ["[::1]:8080", "http://[::1]:8080/", "direct"],
  ["[::1]:8080", "http://[::1]/", "proxy"],
  ["[::1]:80", "http://[::1]/", "direct"],
  ["::1:8080", "http://[::1]:8080/", "proxy"],
  ["::1:8080", "http://[::1:8080]/", "direct"],
  ["2001:DB8:0:0:0:0:0:1", "http://[2001:db8::1]/", "direct"],
  ["2001:db8::1", "http://[2001:0db8:0000::0001]/", "direct"],
  ["2001:db8::1", "http://[2001:db8:1::1]/", "proxy"],
  ["[::1", "http://[::1]/", "proxy"],
  ["::1]", "http://[::1]/", "proxy"],
  ["fe80::1%eth0", "http://[fe80::1]/", "direct"],
  ["::", "http://[::]/", "direct"],
  ["1:2:3:4:5:6:7::", "http://[1:2:3:4:5:6:7:0]/", "direct"],
  ["::ffff:0:0:c000:201", "http://192.0.2.1/", "proxy"],
  // An IPv4-mapped address is its IPv4 address.
  ["::ffff:192.0.2.1", "http://192.0.2.1/", "direct"],
  ["192.0.2.1", "http://[::ffff:192.0.2.1]/", "direct"],
  ["192.0.2.1", "http://[::ffff:c000:201]/", "direct"],
  ["::ffff:c000:0201", "http://[::ffff:192.0.2.1]/", "direct"],
  ["::192.0.2.1", "http://192.0.2.1/", "proxy"],
  ["192.0.2.0/24", "http://[::ffff:192.0.2.77]/", "direct"],
  ["::ffff:192.0.2.0/120", "http://192.0.2.77/", "direct"],
  ["::ffff:192.0.2.0/120", "http://192.0.3.77/", "proxy"],
  ["::ffff:0:0/96", "http://203.0.113.9/", "direct"],
  ["::ffff:0:0/95", "http://203.0.113.9/", "proxy"],
  // IPv4 networks.
  ["10.0.0.0/8", "http://10.255.0.1/", "direct"],
  ["10.0.0.0/8", "http://11.0.0.1/", "proxy"],
  ["10.1.2.3/8", "http://10.200.0.1/", "direct"],
  ["192.168.0.0/16", "https://192.168.255.255/", "direct"],
  ["192.168.0.0/16", "http://192.169.0.0/", "proxy"],
  ["192.168.0.0/16", "http://192.167.255.255/", "proxy"],
  ["172.16.0.0/12", "http://172.31.255.255/", "direct"],
  ["172.16.0.0/12", "http://172.32.0.0/", "proxy"],
  ["192.0.2.4/30", "http://192.0.2.7/", "direct"],
  ["192.0.2.4/30", "http://192.0.2.8/", "proxy"],
  ["192.0.2.4/31", "http://192.0.2.5/", "direct"],
  ["192.0.2.4/32", "http://192.0.2.4/", "direct"],
  ["192.0.2.4/32", "http://192.0.2.5/", "proxy"],
  ["0.0.0.0/0", "http://203.0.113.9/", "direct"],
  ["0.0.0.0/0", "http://[2001:db8::1]/", "proxy"],
  ["0.0.0.0/0", "http://example.com/", "proxy"],
  ["128.0.0.0/1", "http://255.0.0.1/", "direct"],
  ["128.0.0.0/1", "http://127.0.0.1/", "proxy"],
  ["a.test,10.0.0.0/8", "http://10.1.1.1:8080/", "direct"],
  ["10.0.0.0/8", "http://0xa.1/", "direct"],
  ["10.0.0.0/33", "http://10.0.0.0/", "proxy"],
  ["10.0.0.0/-1", "http://10.0.0.0/", "proxy"],
  ["10.0.0.0/", "http://10.0.0.0/", "proxy"],
  ["10.0.0.0/8:80", "http://10.0.0.1/", "proxy"],
  ["10.0.0.0/255.0.0.0", "http://10.0.0.1/", "proxy"],
  ["10/8", "http://10.0.0.1/", "proxy"],
  ["10.0.0/8", "http://10.0.0.1/", "proxy"],
  ["/8", "http://0.0.0.1/", "proxy"],
  ["10.0.0.0/8/8", "http://10.0.0.1/", "proxy"],
  ["example.com/24", "http://example.com/", "proxy"],
  ["http://example.com/", "http://example.com/", "proxy"],
  ["10.0.0.0/8", "http://10.0.0.1.example.com/", "proxy"],
  // IPv6 networks.
  ["fd00::/8", "http://[fdff:1::2]/", "direct"],
  ["fd00::/8", "http://[fc00::1]/", "proxy"],
  ["[fd00::]/8", "http://[fd12::1]/", "direct"],
  ["fe80::/10", "http://[febf::1]/", "direct"],
  ["fe80::/10", "http://[fec0::1]/", "proxy"],
  ["2001:db8::/33", "http://[2001:db8:7fff::1]/", "direct"],
  ["2001:db8::/33", "http://[2001:db8:8000::1]/", "proxy"],
  ["2001:db8::1/128", "http://[2001:db8::1]/", "direct"],
  ["2001:db8::1/128", "http://[2001:db8::2]/", "proxy"],
  ["::/0", "http://[2001:db8::1]/", "direct"],
  ["::/0", "http://192.0.2.1/", "proxy"],
  ["::/129", "http://[::]/", "proxy"],
  ["[fd00::/8]", "http://[fd00::1]/", "proxy"],
  // International names, on either side.
  ["bücher.example", "http://bücher.example/", "direct"],
  ["bücher.example", "http://xn--bcher-kva.example/", "direct"],
  ["xn--bcher-kva.example", "http://bücher.example/", "direct"],
  ["XN--BCHER-KVA.example", "http://BÜCHER.example./", "direct"],
  [".bücher.example", "http://shop.bücher.example/", "direct"],
  ["*.bücher.example:81", "http://xn--bcher-kva.example:81/", "direct"],
  ["bucher.example", "http://bücher.example/", "proxy"],
  ["例え。テスト", "http://例え.テスト/", "direct"],
  // Loopback is not special.
  ["", "http://localhost/", "proxy"],
  ["", "http://127.0.0.1/", "proxy"],
  ["", "http://[::1]/", "proxy"],
  ["localhost", "http://localhost:3000/", "direct"],
  ["localhost", "http://127.0.0.1/", "proxy"],
  ["localhost", "http://app.localhost/", "direct"],
];

test("the table of NO_PROXY is long and has no row twice", () => {
  assert.ok(NO_PROXY.length >= 130, `${NO_PROXY.length} rows`);
  assert.equal(new Set(NO_PROXY.map(([list, url]) => `${list} ${url}`)).size, NO_PROXY.length);
});

for (const [list, url, expected] of NO_PROXY) {
  test(`no_proxy ${JSON.stringify(list)}: ${url} is ${expected}`, () => {
    const env = { http_proxy: PROXY, https_proxy: PROXY, no_proxy: list };
    assert.equal(proxyForUrl(url, env), expected === "direct" ? null : PROXY);
  });
}

const A = "http://a.test:1";
const B = "http://b.test:2";
const C = "http://c.test:3";

const VARIABLES: [Environment, url: string, proxy: string | null][] = [
  [{}, "http://example.com/", null],
  [{ http_proxy: A, https_proxy: B }, "http://example.com/", A],
  [{ http_proxy: A, https_proxy: B }, "https://example.com/", B],
  [{ http_proxy: A, https_proxy: B }, "HTTPS://example.com/", B],
  [{ http_proxy: A }, "https://example.com/", null],
  [{ https_proxy: A }, "http://example.com/", null],
  [{ HTTP_PROXY: A, HTTPS_PROXY: B }, "http://example.com/", A],
  [{ HTTP_PROXY: A, HTTPS_PROXY: B }, "https://example.com/", B],
  [{ HTTP_PROXY: A, http_proxy: B }, "http://example.com/", B],
  [{ HTTPS_PROXY: A, https_proxy: B }, "https://example.com/", B],
  [{ Http_Proxy: A }, "http://example.com/", null],
  [{ all_proxy: A }, "http://example.com/", A],
  [{ ALL_PROXY: A }, "https://example.com/", A],
  [{ ALL_PROXY: A, all_proxy: B }, "https://example.com/", B],
  [{ all_proxy: A, HTTP_PROXY: B }, "http://example.com/", B],
  [{ all_proxy: A, http_proxy: B }, "https://example.com/", A],
  // Empty is unset.
  [{ http_proxy: "" }, "http://example.com/", null],
  [{ http_proxy: "", HTTP_PROXY: A }, "http://example.com/", A],
  [{ http_proxy: " \t", HTTP_PROXY: "", all_proxy: B }, "http://example.com/", B],
  [{ http_proxy: undefined, all_proxy: B }, "http://example.com/", B],
  [{ http_proxy: A, no_proxy: "", NO_PROXY: "example.com" }, "http://example.com/", null],
  [{ http_proxy: A, NO_PROXY: "example.com" }, "http://example.com/", null],
  [{ http_proxy: A, no_proxy: "other.test", NO_PROXY: "example.com" }, "http://example.com/", A],
  // In a CGI program.
  [{ HTTP_PROXY: A, REQUEST_METHOD: "GET" }, "http://example.com/", null],
  [{ HTTP_PROXY: A, REQUEST_METHOD: "" }, "http://example.com/", null],
  [{ HTTP_PROXY: A, REQUEST_METHOD: undefined }, "http://example.com/", A],
  [{ HTTP_PROXY: A, REQUEST_METHOD: "GET", ALL_PROXY: B }, "http://example.com/", B],
  [{ HTTP_PROXY: A, REQUEST_METHOD: "GET", http_proxy: C }, "http://example.com/", C],
  [{ HTTP_PROXY: A, REQUEST_METHOD: "GET", http_proxy: "" }, "http://example.com/", null],
  [{ HTTPS_PROXY: A, REQUEST_METHOD: "GET" }, "https://example.com/", A],
  // Other schemes.
  [{ all_proxy: A, ftp_proxy: B }, "ftp://example.com/", null],
  [{ all_proxy: A, http_proxy: B }, "ws://example.com/", null],
  // The forms of a value.
  [{ http_proxy: "proxy.test:3128" }, "http://example.com/", "http://proxy.test:3128"],
  [{ https_proxy: "proxy.test" }, "https://example.com/", "http://proxy.test"],
  [{ http_proxy: "user:pass@proxy.test:3128" }, "http://example.com/", "http://user:pass@proxy.test:3128"],
  [{ http_proxy: "127.0.0.1:3128" }, "http://example.com/", "http://127.0.0.1:3128"],
  [{ http_proxy: "[::1]:3128" }, "http://example.com/", "http://[::1]:3128"],
  [{ http_proxy: `  ${A}\n` }, "http://example.com/", A],
  [{ http_proxy: "https://u:p%40ss@proxy.test/" }, "http://example.com/", "https://u:p%40ss@proxy.test/"],
  [{ http_proxy: "HTTP://Proxy.test:3128" }, "http://example.com/", "HTTP://Proxy.test:3128"],
  [{ all_proxy: "socks5h://proxy.test:1080" }, "https://example.com/", "socks5h://proxy.test:1080"],
  [{ all_proxy: "socks5://proxy.test" }, "https://example.com/", "socks5://proxy.test"],
  [{ all_proxy: "socks4://proxy.test" }, "https://example.com/", "socks4://proxy.test"],
  [{ all_proxy: "socks4a://proxy.test" }, "https://example.com/", "socks4a://proxy.test"],
  [{ http_proxy: "http:8080" }, "http://example.com/", "http://http:8080"],
];

for (const [env, url, proxy] of VARIABLES) {
  test(`${JSON.stringify(env)}: ${url} goes to ${proxy}`, () => assert.equal(proxyForUrl(url, env), proxy));
}

test("HTTP_PROXY is ignored in a CGI program even where names of variables have no case", () => {
  const platform = (names: Record<string, string>): Environment =>
    new Proxy(names, {
      get: (target, name) =>
        Object.entries(target).find(([key]) => key.toLowerCase() === String(name).toLowerCase())?.[1],
    });
  assert.equal(proxyForUrl("http://h.test/", platform({ HTTP_PROXY: A, REQUEST_METHOD: "GET" })), null);
  assert.equal(proxyForUrl("http://h.test/", platform({ http_proxy: A, REQUEST_METHOD: "GET" })), A);
  assert.equal(proxyForUrl("http://h.test/", platform({ HTTP_PROXY: A })), A);
});

const UNUSABLE = [
  "ftp://u:hunter2@proxy.test",
  "socks://u:hunter2@proxy.test:1080",
  "://u:hunter2@proxy.test",
  "http://",
  "http:///u:hunter2@proxy.test",
  "http://u:hunter2@",
  "http://u:hunter2@:3128",
  "http://u:hunter2@proxy.test:99999",
  "http://u:hunter2@proxy.test:port",
  "http://u:hunter2#@proxy.test:3128",
  "http://u:hunter2@pro xy.test",
  "http://u:hunter2@proxy\t.test",
  "http://u:hunter2\u0000@proxy.test",
  "http:/proxy.test",
  "https:u:hunter2@proxy.test",
  "//u:hunter2@proxy.test",
  "socks5://",
  "socks5://u:hunter2@:1080",
  "u:hunter2://@proxy.test",
  ":3128",
  "[::1",
];

for (const value of UNUSABLE) {
  test(`the proxy ${JSON.stringify(value)} is refused without telling its password`, () => {
    for (const name of ["https_proxy", "ALL_PROXY"]) {
      assert.throws(
        () => proxyForUrl("https://example.com/", { [name]: value }),
        (error) => {
          assert.ok(error instanceof InvalidArgumentError);
          assert.ok(error.message.includes(` ${name} `), error.message);
          assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /hunter2/);
          assert.equal(error.cause, undefined);
          return true;
        },
      );
    }
  });
}

test("an unusable proxy disturbs only the requests that would use it", () => {
  const rule = proxyRules({ https_proxy: "ftp://x", http_proxy: A, no_proxy: "direct.test" });
  assert.equal(rule("http://example.com/"), A);
  assert.equal(rule("https://direct.test/"), null);
  assert.throws(() => rule("https://example.com/"), InvalidArgumentError);
  assert.throws(() => rule("https://example.com/"), InvalidArgumentError);
});

test("rules are read once, and can be asked many times", () => {
  const env: Record<string, string> = { all_proxy: A, no_proxy: "direct.test" };
  const rule = proxyRules(env);
  env.all_proxy = B;
  env.no_proxy = "*";
  for (let i = 0; i < 3; i += 1) {
    assert.equal(rule("http://example.com/"), A);
    assert.equal(rule("https://direct.test/"), null);
  }
});

const TARGETS: [ProxyTarget, list: string, expected: "direct" | "proxy"][] = [
  [{ scheme: "http", host: "example.com", port: null }, "example.com:80", "direct"],
  [{ scheme: "https", host: "example.com" }, "example.com:443", "direct"],
  [{ scheme: "HTTPS", host: "Example.COM.", port: 8443 }, "example.com:8443", "direct"],
  [{ scheme: null, host: "example.com", port: null }, "example.com:80", "direct"],
  [{ scheme: "http", host: "example.com", port: 0 }, "example.com:80", "proxy"],
  [{ scheme: "http", host: "example.com", port: 0 }, "example.com:0", "direct"],
  [{ scheme: "http", host: "[::1]", port: 80 }, "::1", "direct"],
  [{ scheme: "http", host: "::1", port: 80 }, "[::1]", "direct"],
  [{ scheme: "http", host: "[fe80::1%25eth0]", port: 80 }, "fe80::/10", "direct"],
  [{ scheme: "http", host: "fe80::1%eth0", port: 80 }, "fe80::1%eth1", "direct"],
  [{ scheme: "http", host: "bücher.example", port: 80 }, "xn--bcher-kva.example", "direct"],
  [{ scheme: "http", host: "0x7f.1", port: 80 }, "127.0.0.1", "direct"],
  [{ scheme: "http", host: "web.1", port: 80 }, "web.1", "direct"],
  [{ scheme: "http", host: "a.web.1", port: 80 }, "web.1", "direct"],
  [{ scheme: "constructor", host: "x", port: 80 }, "*", "direct"],
  [{ scheme: "http", host: "other.test", port: 80 }, "example.com", "proxy"],
  [{ scheme: "http", host: null }, "example.com .", "proxy"],
  [{ scheme: "http", host: "" }, "*", "direct"],
];

for (const [target, list, expected] of TARGETS) {
  test(`no_proxy ${list}: the target ${JSON.stringify(target)} is ${expected}`, () => {
    const env = { all_proxy: PROXY, no_proxy: list };
    assert.equal(proxyForUrl(target, env), expected === "direct" ? null : PROXY);
  });
}

test("a list may be asked about a host without a port", () => {
  const list = parseNoProxy("a.test b.test:80");
  assert.equal(list("a.test"), true);
  assert.equal(list("b.test"), false);
  assert.equal(list("b.test", null), false);
  assert.equal(list("b.test", 80), true);
});

for (const [url, list] of [
  ["http://[fe80::1%25eth0]:8080/x", "fe80::1"],
  ["http://[fe80::1%eth0]/", "fe80::/10"],
  ["http://web.1/", "web.1"],
  ["http://a_b.1:81/", "a_b.1:81"],
] as const) {
  test(`${url}, which the platform's URL refuses, has a proxy or none`, () => {
    assert.equal(proxyForUrl(url, { http_proxy: PROXY }), PROXY);
    assert.equal(proxyForUrl(url, { http_proxy: PROXY, no_proxy: list }), null);
    assert.equal(proxyForUrl(url, {}), null);
  });
}

test("a proxy may have such a host too", () => {
  for (const proxy of ["http://proxy.1:3128", "http://[fe80::1%25eth0]:3128"]) {
    assert.equal(proxyForUrl("http://a.test/", { http_proxy: proxy }), proxy);
  }
});

test("a password that ends the authority is named as the fault, and not shown", () => {
  for (const sign of ["/", "?", "#", "\\"]) {
    for (const proxy of [
      `http://user:hunter${sign}2@proxy.test:3128`,
      `http://user:1${sign}hunter2@p.test`,
    ]) {
      assert.throws(
        () => proxyForUrl("http://a.test/", { http_proxy: proxy }),
        (error: Error) => /http_proxy .*%2F/.test(error.message) && !/hunter/.test(error.message),
        proxy,
      );
    }
  }
});

for (const url of ["", "example.com", "/path", "http://", "http://u:hunter2@h:99999/"]) {
  test(`${JSON.stringify(url)} is not an absolute URL`, () => {
    assert.throws(
      () => proxyForUrl(url, {}),
      (error) => error instanceof LocationParseError && !error.message.includes("hunter2"),
    );
  });
}

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,6}[a-z])?$/);
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));

test("a name covers itself and exactly the names below it", () => {
  fc.assert(
    fc.property(name, name, label, (listed, host, more) => {
      const list = parseNoProxy(`${more}.invalid ${listed}`);
      assert.ok(list(listed));
      assert.ok(list(`${host}.${listed}`));
      assert.equal(list(host), `.${host}`.endsWith(`.${listed}`));
      assert.equal(list(`${more}${listed}`), false);
    }),
    { ...SEED, numRuns: 500 },
  );
});

function bitsOf(bytes: readonly number[], size: number): string {
  return bytes.map((part) => part.toString(2).padStart(size, "0")).join("");
}

test("a network covers exactly the addresses that share its prefix", () => {
  const kinds = [
    { parts: 4, size: 8, text: (parts: number[]) => parts.join(".") },
    { parts: 8, size: 16, text: (parts: number[]) => parts.map((part) => part.toString(16)).join(":") },
  ];
  const scenario = fc.constantFrom(...kinds).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      base: fc.array(fc.nat(2 ** kind.size - 1), { minLength: kind.parts, maxLength: kind.parts }),
      flipped: fc.nat(kind.parts * kind.size - 1),
      prefix: fc.nat(kind.parts * kind.size),
    }),
  );
  fc.assert(
    fc.property(scenario, ({ kind, base, flipped, prefix }) => {
      const other = [...base];
      const part = Math.floor(flipped / kind.size);
      other[part] = (other[part] as number) ^ (1 << (kind.size - 1 - (flipped % kind.size)));
      const same = bitsOf(base, kind.size).slice(0, prefix) === bitsOf(other, kind.size).slice(0, prefix);
      const list = parseNoProxy(`${kind.text(base)}/${prefix}`);
      assert.ok(list(kind.text(base)));
      assert.equal(list(kind.text(other)), same);
    }),
    { ...SEED, numRuns: 1000 },
  );
});

test("no list and no host makes the matcher fail", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom("*", ".", ":", "/", "[", "]", "::", "%", "10", "0x", ",", " ", "ü", "。", "\ud800"),
  );
  const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, text, fc.option(fc.nat(70_000)), (list, host, port) => {
      assert.equal(typeof parseNoProxy(list)(host, port), "boolean");
      assert.equal(parseNoProxy(`${list} *`)(host, port), true);
    }),
    { ...SEED, numRuns: 2000 },
  );
});

test("a host of many labels takes time in proportion to its length", () => {
  const list = parseNoProxy(`example.com ${"*.".repeat(50_000)}b`);
  const labels = "a.".repeat(500_000);
  assert.equal(list(`${labels}org`), false);
  assert.equal(list(`${labels}example.com`), true);
  assert.equal(list(".".repeat(500_000)), false);
});
