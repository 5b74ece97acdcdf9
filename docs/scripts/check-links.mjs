/** Every link of the built site leads somewhere in it, and nothing is loaded from another host. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LinkChecker } from "linkinator";

const SITE = ".vitepress/dist";
const found = [];

const result = await new LinkChecker().check({
  path: SITE,
  recurse: true,
  concurrency: 20,
  linksToSkip: async (link) => !new URL(link).hostname.match(/^(localhost|127\.0\.0\.1)$/),
});
// Linkinator's own server drops a connection now and then (status 0): the file is there all the same.
const broken = result.links.filter(
  ({ state, status, url }) => state === "BROKEN" && !(status === 0 && existsSync(url)),
);
found.push(...broken.map(({ url, parent }) => `${parent}: broken link ${url}`));
const followed = result.links.filter(({ state }) => state === "OK").length;
if (followed < 100) found.push(`only ${followed} links were found`);

/** What a page or a style sheet loads by itself. */
const LOADS = [
  /<(?:script|img|iframe|source|video|audio|embed|use)\b[^>]*\s(?:src|href)="(?:https?:)?\/\/[^"]*"/g,
  /<link\b(?=[^>]*\srel="(?:stylesheet|icon|preload|modulepreload|preconnect|dns-prefetch)")[^>]*\shref="(?:https?:)?\/\/[^"]*"/g,
  /url\(\s*["']?(?:https?:)?\/\/[^)]*\)/g,
  /@import\s+["'](?:https?:)?\/\/[^"']*["']/g,
];
const files = readdirSync(SITE, { recursive: true }).filter((name) => /\.(html|css)$/.test(name));
for (const file of files) {
  const text = readFileSync(join(SITE, file), "utf8");
  for (const pattern of LOADS) {
    found.push(...(text.match(pattern) ?? []).map((load) => `${file}: ${load}`));
  }
}

console.log(`${followed} links, ${files.length} pages and style sheets`);
for (const each of found) console.error(each);
process.exitCode = found.length === 0 ? 0 : 1;
