/** Names of files cannot leave their folder, and can be made on every system. */

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fileNameOf, pathOf, safeName } from "../src/names.ts";

describe("names of files from URLs", () => {
  it("follow host, path and query", () => {
    assert.equal(pathOf("http://a.example/"), "a.example/index");
    assert.equal(pathOf("http://a.example:8080/x/y.html?q=1"), "a.example_8080/x/y.html%3Fq=1");
    assert.equal(pathOf("http://a.example/x//y/"), "a.example/x/y/index");
    assert.equal(pathOf("http://[::1]:1/%C3%A9"), "[%3A%3A1]_1/é");
  });

  it("never lead upwards", () => {
    for (const path of [
      "../../etc/passwd",
      "%2e%2e/%2e%2e/x",
      "..%2f..%2fx",
      "..%5c..%5cx",
      "a/%2e%2e%2f%2e%2e/b",
      "%00../x",
    ]) {
      const name = pathOf(`http://h/${path}`);
      assert.ok(resolve("/base", name).startsWith("/base/h"), name);
      assert.ok(!name.includes("\\") && !name.includes("\0"), name);
    }
  });

  it("avoid what systems and downloads keep for themselves", () => {
    for (const name of [
      "con",
      "NUL.txt",
      "COM1",
      "a.part",
      "a.part.json",
      ".urlpool",
      "~x",
      "",
      ".",
      "..",
      "a.",
      "a ",
      " a",
    ]) {
      const safe = safeName(name);
      assert.notEqual(safe, name);
      assert.doesNotMatch(
        safe,
        /^(?:con|nul|com1)(?:\.|$)|\.part(?:\.json|\.lock)?$|^\.urlpool$|^~|[. ]$|^ |^\.+$/i,
      );
    }
  });

  it("are cut at whole characters and stay different", () => {
    const [one, two] = [safeName(`${"é".repeat(300)}1.jpeg`), safeName(`${"é".repeat(300)}2.jpeg`)];
    assert.notEqual(one, two);
    for (const name of [one, two])
      assert.ok(Buffer.byteLength(name) <= 200 && name.endsWith(".jpeg") && !/\p{Surrogate}/u.test(name));
  });

  it("of any path are safe", () => {
    const seed = Number(process.env.TEST_SEED ?? 14);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const url = `http://host/${text}`;
        if (!URL.canParse(url)) return;
        for (const name of [...pathOf(url).split("/"), fileNameOf(url)]) {
          assert.ok(name !== "" && name !== "." && name !== ".." && Buffer.byteLength(name) <= 255 - 10);
          assert.doesNotMatch(name, /[\x00-\x1f\x7f<>:"/\\|?*]|[. ]$/);
          assert.equal(safeName(name) === name || /^[_~]/.test(safeName(name)), true);
        }
      }),
      { seed, numRuns: 500 },
    );
  });
});
