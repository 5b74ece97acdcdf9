/**
 * `npm run docs`: the documentation site in `docs/.vitepress/dist/`, built and checked.
 *
 *     npm run docs                  reference, pages, links, other hosts, accessibility
 *     npm run docs -- --no-browser  without the checks in Chromium
 *     npm run docs -- --pictures    also screenshots, in docs/.vitepress/screenshots/
 */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PROJECT } from "../docs/pages.mjs";
import { npm, ROOT, run } from "./ensure.mjs";

const DOCS = join(ROOT, "docs");
const SITE = join(DOCS, ".site");

/** `npm ci` in `docs/` when its lock file has changed. */
function ensurePackages() {
  const lock = readFileSync(join(DOCS, "package-lock.json"), "utf8");
  const stamp = join(DOCS, "node_modules/.lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  npm("ci", "--prefix", DOCS);
  writeFileSync(stamp, lock);
}

/** The pages in the folders they have in the repository, so that their links hold on the site too. */
function layOut() {
  rmSync(SITE, { recursive: true, force: true });
  const pages = PROJECT.map(([name]) => `${name}.md`);
  for (const folder of ["docs", "docs/design"]) {
    const files = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".md"));
    pages.push(...files.map((name) => `${folder}/${name}`));
  }
  for (const page of pages) {
    mkdirSync(dirname(join(SITE, page)), { recursive: true });
    const text = readFileSync(join(ROOT, page), "utf8");
    writeFileSync(join(SITE, page), withoutForeignLinks(text, page, pages));
  }
  for (const name of readdirSync(join(ROOT, "bench/results")).filter((each) => each.endsWith(".svg"))) {
    cpSync(join(ROOT, "bench/results", name), join(SITE, "bench/results", name));
  }
  cpSync(join(DOCS, ".vitepress/home.md"), join(SITE, "index.md"));
}

/** Links to files of the repository that are no pages become text. */
function withoutForeignLinks(text, page, pages) {
  return text.replace(/(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g, (link, words, target) =>
    pages.includes(join(dirname(page), target)) ? link : words,
  );
}

ensurePackages();
if (process.platform === "linux") run("bash", ["scripts/system-packages.sh", "chromium"]);
layOut();
const inDocs = { cwd: DOCS };
run(process.execPath, ["node_modules/typedoc/bin/typedoc", "--logLevel", "Warn"], inDocs);
run(process.execPath, ["node_modules/vitepress/bin/vitepress.js", "build", "."], inDocs);
run(process.execPath, ["scripts/check-links.mjs"], inDocs);
if (!process.argv.includes("--no-browser")) {
  run(process.execPath, ["scripts/check-pages.mjs", ...process.argv.slice(2)], inDocs);
}
