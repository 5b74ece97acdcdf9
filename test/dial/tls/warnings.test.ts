import assert from "node:assert/strict";
import { test } from "node:test";
import { assertFingerprint } from "../../../src/dial/tls/certificate.ts";
import { disableWarnings, warnInsecure } from "../../../src/dial/tls/settings.ts";
import { settle } from "../../kit/clock.ts";

async function warningsOf(act: () => void): Promise<(Error & { code?: string })[]> {
  const warnings: (Error & { code?: string })[] = [];
  const take = (warning: Error) => warnings.push(warning);
  process.on("warning", take);
  act();
  await settle();
  process.off("warning", take);
  return warnings;
}

// One test, because warnings are given once per process.
test("warnings are given once, until they are disabled", async () => {
  const insecure = await warningsOf(() => {
    warnInsecure("a.test");
    warnInsecure("a.test");
    warnInsecure("b.test");
  });
  assert.deepEqual(
    insecure.map(({ name, code, message }) => [name, code, message]),
    ["a.test", "b.test"].map((host) => [
      "InsecureRequestWarning",
      "URLPOOL_INSECURE_REQUEST",
      `Unverified HTTPS request is being made to host '${host}'. Adding certificate verification is strongly advised.`,
    ]),
  );

  const compareWithMd5 = () => {
    for (let time = 0; time < 2; time += 1) {
      assert.throws(() => assertFingerprint(Buffer.from("x"), "0".repeat(32)), /did not match/);
    }
  };
  const weak = await warningsOf(compareWithMd5);
  assert.deepEqual(
    weak.map(({ name, code }) => [name, code]),
    [["SecurityWarning", "URLPOOL_WEAK_FINGERPRINT"]],
  );

  disableWarnings();
  assert.deepEqual(await warningsOf(() => warnInsecure("c.test")), []);
});
