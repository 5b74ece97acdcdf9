/** docs/no-proxy.md says what the rules do. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { proxyForUrl } from "../../src/manager/proxy-env.ts";

test("the table of cases in docs/no-proxy.md is true of urlpool", () => {
  const text = readFileSync(join(findRoot(), "docs/no-proxy.md"), "utf8");
  const rows = [...text.matchAll(/^\| `([^`]+)` \| `(http[^`]+)` \| (direct|proxy) \|/gm)];
  assert.ok(rows.length >= 30);
  for (const [row, list, url, told] of rows) {
    const proxy = proxyForUrl(url!, { http_proxy: "http://proxy:3128", no_proxy: list! });
    assert.equal(proxy === null ? "direct" : "proxy", told, row);
  }
});

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}
