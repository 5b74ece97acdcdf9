import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { test } from "node:test";
import { allowedAddresses, blockPrivateAddresses } from "../../src/dial/address-filter.ts";

const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.1",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2a00:1450:4001:800::200e",
  "2001:4860:4860::8888",
  "2001:200::1",
  "::ffff:8.8.8.8",
  "64:ff9b::8.8.8.8",
  "64:ff9b::808:808",
  "2002:808:808::1",
  "2001:0:4136:e378:8000:63bf:f7f7:f7f7", // Teredo: client 8.8.8.8 inverted
];

const PRIVATE = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.100.100.200",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.0.2.1",
  "192.88.99.1",
  "192.168.0.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.7",
  "203.0.113.7",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "0:0:0:0:0:0:0:1",
  "::7f00:1",
  "::10.0.0.1",
  "::8.8.8.8", // IPv4-compatible: deprecated, nobody is reached so
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::FFFF:A00:1",
  "0:0:0:0:0:ffff:192.168.1.1",
  "::ffff:0:127.0.0.1", // IPv4-translated (RFC 2765)
  "64:ff9b::10.0.0.1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::8.8.8.8",
  "100::1",
  "2002:7f00:1::1",
  "2002:c0a8:101::1",
  "2001:0:4136:e378:8000:63bf:f5ff:fffe", // Teredo: client 10.0.0.1 inverted
  "2001:0:a00:1:8000:63bf:f7f7:f7f7", // Teredo: server 10.0.0.1
  "2001:2::1",
  "2001:10::1",
  "2001:db8::1",
  "3fff::1",
  "4000::1",
  "5f00::1",
  "fc00::1",
  "fd00:ec2::254",
  "fdff:ffff::1",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
  "fec0::1",
  "ff02::1",
];

// Never an address as the resolver gives it: who lets these pass lets 127.0.0.1 pass.
const UNREADABLE = ["", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]", "::1 ", "1.2.3.4:80"];

for (const [list, allowed] of [
  [PUBLIC, true],
  [PRIVATE, false],
  [UNREADABLE, false],
] as const) {
  for (const address of list) {
    test(`${allowed ? "allows" : "refuses"} ${JSON.stringify(address)}`, () => {
      assert.equal(blockPrivateAddresses(address, isIPv6(address) ? 6 : 4), allowed);
    });
  }
}

test("what the caller says of the family does not matter", () => {
  assert.equal(blockPrivateAddresses("127.0.0.1", 6), false);
  assert.equal(blockPrivateAddresses("8.8.8.8", 6), true);
  assert.equal(blockPrivateAddresses("::1", 4), false);
});

test("an asynchronous filter lets nothing pass, and its failure ends no process", async () => {
  const address = { address: "8.8.8.8", family: 4 } as const;
  for (const answer of [() => Promise.resolve(true), () => Promise.reject(new Error("late"))]) {
    const allowed = allowedAddresses([address], "h.test", answer as never);
    assert.equal((allowed as Error).name, "AddressBlockedError");
  }
  await new Promise((resolve) => setImmediate(resolve));
});
