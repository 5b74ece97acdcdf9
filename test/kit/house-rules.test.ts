import assert from "node:assert/strict";
import { test } from "node:test";
import * as rules from "./house-rules.ts";

/** Whether a file with this path may have this line. */
const imports: [path: string, line: string, allowed: boolean][] = [
  ["core/url.ts", 'import { a } from "./bytes.ts";', true],
  ["core/url.ts", 'import { a } from "../policy/retry.ts";', false],
  ["protocol/h1/parser.ts", 'import { a } from "../../core/bytes.ts";', true],
  ["protocol/h1/parser.ts", 'import type { a } from "../../body/decode.ts";', false],
  ["policy/retry.ts", 'export * from "../protocol/h1/parser.ts";', false],
  ["policy/retry.ts", 'import net from "node:net";', false],
  ["body/decode.ts", 'import zlib from "node:zlib";', true],
  ["connection/tls.ts", 'import tls from "node:tls";', true],
  ["connection/tls.ts", 'import { a } from "../pool/pool.ts";', false],
  ["pool/pool.ts", 'import type { a } from "../connection/connection.ts";', true],
  ["pool/pool.ts", 'import { a } from "../connection/tls.ts";', false],
  ["pool/pool.ts", 'const a = await import("node:tls");', false],
  ["client/exchange.ts", 'import {\n  a,\n} from "../connection/tls.ts";', true],
  ["client/exchange.ts", 'import { a } from "../manager/pool-key.ts";', false],
  ["manager/pool-key.ts", 'import { a } from "../client/response.ts";', true],
  ["manager/pool-key.ts", 'import { a } from "lodash";', false],
  ["manager/pool-key.ts", 'import { a } from "../index.ts";', false],
  ["manager/pool-key.ts", ' * import { a } from "urlpool";', false],
  ["manager/pool-key.ts", '/**\n * import { a } from "urlpool";\n */', true],
  ["index.ts", 'export * from "./manager/pool-manager.ts";', true],
  ["addons/cache/cached.ts", 'import { a } from "../../index.ts";', true],
  ["addons/cache/cached.ts", 'import { a } from "../../client/options.ts";', false],
  ["adapters/fetch/call.ts", 'import type { a } from "../../client/options.ts";', true],
  ["adapters/fetch/call.ts", 'import { a } from "../../client/request-run.ts";', false],
  ["client/request-run.ts", 'import { a } from "../index.ts";', false],
];
for (const [path, line, allowed] of imports) {
  test(`${path} ${allowed ? "may" : "must not"} have ${JSON.stringify(line)}`, () => {
    assert.equal(rules.importBreaches({ path, text: line }).length, allowed ? 0 : 1);
  });
}

const times: [path: string, line: string, allowed: boolean][] = [
  ["core/clock.ts", "setTimeout(a, 1); performance.now();", true],
  ["pool/pool.ts", "setTimeout(a, 1);", false],
  ["pool/pool.ts", "const later = setInterval;", false],
  ["pool/pool.ts", "Date.now()", false],
  ["pool/pool.ts", "performance.now()", false],
  ["pool/pool.ts", "new Date()", false],
  ["policy/retry.ts", "new Date(text)", true],
  ["policy/retry.ts", 'import { setTimeout } from "node:timers/promises";', false],
  ["pool/pool.ts", "setImmediate(a)", false],
  ["connection/poll-barrier.ts", "setImmediate(a)", true],
  ["dial/race.ts", "socket.setTimeout(0)", true],
  ["dial/race.ts", "x(); // not setTimeout()", true],
];
for (const [path, line, allowed] of times) {
  test(`${path} ${allowed ? "may" : "must not"} have ${line}`, () => {
    assert.equal(rules.timeBreaches({ path, text: line }).length > 0, !allowed);
  });
}

test("rings within a floor are found, over types and three files too", () => {
  const file = (path: string, ...targets: string[]): rules.SourceFile => ({
    path,
    text: targets.map((target) => `import type { A } from "${target}";`).join("\n"),
  });
  const ring = [
    file("client/a.ts", "./b.ts"),
    file("client/b.ts", "./response/c.ts"),
    file("client/response/c.ts", "../a.ts"),
  ];
  assert.deepEqual(rules.cycleBreaches(ring), [
    "client/a.ts -> client/b.ts -> client/response/c.ts -> client/a.ts",
  ]);
  // What an adapter takes from the root file, which has it of the manager that offers the adapter, is no ring.
  const stairs = [
    file("adapters/a.ts", "../index.ts", "./b.ts"),
    file("adapters/b.ts"),
    file("index.ts", "./adapters/a.ts"),
  ];
  assert.deepEqual(rules.cycleBreaches(stairs), []);
});

test("any is found as a type, not as a word or a method", () => {
  const breaches = (text: string): number => rules.anyBreaches({ path: "core/a.ts", text }).length;
  for (const text of ["let a: any;", "a as any", "Map<string, any>", "x: any[]", "<any>a", "type A = any;"]) {
    assert.equal(breaches(text), 1, text);
  }
  for (const text of ["// a: any", "AbortSignal.any(list)", "const company: Many = 1;", "/** as any */"]) {
    assert.equal(breaches(text), 0, text);
  }
});

test("exported declarations need a doc comment; overloads only the first", () => {
  const breaches = (text: string): number => rules.docBreaches({ path: "core/a.ts", text }).length;
  assert.equal(breaches("/** A. */\nexport const a = 1;"), 0);
  assert.equal(breaches("export const a = 1;"), 1);
  assert.equal(breaches("/** A. */\n\nexport class A {}"), 1);
  assert.equal(breaches("// A.\nexport abstract class A {}"), 1);
  assert.equal(breaches("/** A. */\nexport function a(): void;\nexport function a(b?: 1): void {}"), 0);
  assert.equal(breaches('export { a } from "./a.ts";\nexport * from "./b.ts";'), 0);
});
