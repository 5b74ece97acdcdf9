import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatIPv4, packHost, packIP } from "../../src/core/ip-address.ts";

const hex = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString("hex");

const ADDRESSES: readonly [string, string | null][] = [
  ["1.2.3.4", "01020304"],
  ["255.255.255.255", "ffffffff"],
  ["::", "0".repeat(32)],
  ["::1", `${"0".repeat(31)}1`],
  ["0:0:0:0:0:0:0:1", `${"0".repeat(31)}1`],
  ["1::", `0001${"0".repeat(28)}`],
  ["2001:DB8::a:0:1", "20010db8000000000000000a00000001"],
  ["2001:db8:1:2:3:4:5:6", "20010db8000100020003000400050006"],
  ["::ffff:1.2.3.4", "00000000000000000000ffff01020304"],
  ["64:ff9b::10.0.0.1", "0064ff9b00000000000000000a000001"],
  ["fe80::1%eth0", "fe800000000000000000000000000001"],
  ["", null],
  ["example.com", null],
  ["1.2.3", null],
  ["1.2.3.4%eth0", null],
  ["1.2.3.256", null],
  ["::g", null],
  ["1::2::3", null],
  ["[::1]", null],
];

for (const [text, expected] of ADDRESSES) {
  test(`packIP(${JSON.stringify(text)})`, () => assert.equal(hex(packIP(text)), expected));
}

// What resolvers take for an IPv4 address, although no browser shows it so (inet_aton).
const ODD: readonly [string, string | null][] = [
  ["127.1", "7f000001"],
  ["2130706433", "7f000001"],
  ["0x7f000001", "7f000001"],
  ["0x7F.0.0.01", "7f000001"],
  ["017700000001", "7f000001"],
  ["1.2.772", "01020304"],
  ["0", "00000000"],
  ["4294967295", "ffffffff"],
  ["4294967296", null],
  ["1.16777216", null],
  ["256.1", null],
  ["1.2.3.4.5", null],
  ["08", null],
  ["0x", null],
  ["1.", null],
  ["1..2", null],
  ["example.com", null],
];

for (const [text, expected] of ODD) {
  test(`packHost(${JSON.stringify(text)})`, () => assert.equal(hex(packHost(text)), expected));
}

test("every spelling of an IPv6 address gives the same bytes", () => {
  const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (values) => {
      const full = values.map((value) => value.toString(16).padStart(4, "0")).join(":");
      const short = new URL(`http://[${full}]/`).hostname.slice(1, -1);
      assert.equal(hex(packIP(full)), full.replaceAll(":", ""));
      assert.equal(hex(packIP(short)), full.replaceAll(":", ""));
    }),
    { seed: 20260101 },
  );
});

test("formatIPv4 undoes packIP", () => assert.equal(formatIPv4(packIP("10.0.0.255")!), "10.0.0.255"));
