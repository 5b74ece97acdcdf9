/** The pages of the documentation site: all are listed, and each page of the design ends with tests that are there. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

type Listed = readonly (readonly [file: string, title: string])[];

const { GUIDES, DESIGN, PROJECT } = (await import(pathToFileURL(join(ROOT, "docs/pages.mjs")).href)) as {
  GUIDES: Listed;
  DESIGN: Listed;
  PROJECT: Listed;
};

function pagesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -3))
    .sort();
}

function namesOf(listed: Listed): string[] {
  return listed.map(([name]) => name).sort();
}

describe("the sidebar of the site", () => {
  it("has every guide and every page of the design", () => {
    assert.deepEqual(namesOf(GUIDES), pagesIn("docs"));
    assert.deepEqual(namesOf(DESIGN), pagesIn("docs/design"));
    assert.deepEqual(
      PROJECT.filter(([name]) => !existsSync(join(ROOT, `${name}.md`))),
      [],
    );
  });
});

describe("a page of the design", () => {
  for (const [name] of DESIGN) {
    const text = readFileSync(join(ROOT, `docs/design/${name}.md`), "utf8");

    it(`${name} begins with the failure it prevents and ends with tests that are there`, () => {
      assert.match(text, /^# .+\n\n\*\*What it prevents\.\*\* /);
      const [, proof] = text.split("**What proves it.**");
      const tests = [...proof!.matchAll(/`((?:cli\/)?test\/[^`]+)`/g)].map(([, path]) => path!);
      assert.ok(tests.length > 0);
      assert.ok(proof!.split("\n\n").length === 1, "something comes after the proof");
      assert.deepEqual(
        tests.filter((path) => !existsSync(join(ROOT, path))),
        [],
      );
    });

    it(`${name} names files and leads to pages that are there`, () => {
      const files = [...text.matchAll(/`((?:cli\/)?src\/[^`]+)`/g)].map(([, path]) => path!);
      const links = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, path]) => join("docs/design", path!));
      assert.deepEqual(
        [...files, ...links].filter((path) => !existsSync(join(ROOT, path))),
        [],
      );
    });
  }
});
