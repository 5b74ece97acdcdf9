/**
 * Six pages in Chromium, at two widths, in light and in dark: no fault that axe-core knows, no sideways scroll, nothing asked of another
 * host, no error on the console. With `--pictures` it leaves screenshots.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import puppeteer from "puppeteer-core";

const SITE = ".vitepress/dist";
const PICTURES = ".vitepress/screenshots";
const PAGES = [
  "index",
  "docs/requests",
  "docs/errors",
  "docs/design/pool",
  "reference/index/classes/PoolManager",
  "cli/README",
];
/** VitePress' own: a heading of the sidebar that folds has a button in it; the search button shows its key too. */
const KNOWN = ["nested-interactive", "label-content-name-mismatch"];
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pictures = process.argv.includes("--pictures");
const found = [];

const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
  try {
    const body = await readFile(join(SITE, path));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  if (pictures) mkdirSync(PICTURES, { recursive: true });
  for (const name of PAGES) {
    for (const width of [1280, 390]) for (const scheme of ["light", "dark"]) await look(name, width, scheme);
  }
  await searchFor("Retry-After");
} finally {
  await browser.close();
  server.close();
}
console.log(`${PAGES.length} pages, light and dark, 1280 and 390 wide`);
for (const each of found) console.error(each);
process.exitCode = found.length === 0 ? 0 : 1;

async function open(name, width, scheme) {
  const page = await browser.newPage();
  const where = `${name} (${width}, ${scheme})`;
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith("data:")) found.push(`${where}: asks for ${url}`);
  });
  page.on("pageerror", (error) => found.push(`${where}: ${error.message}`));
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: scheme },
    { name: "prefers-reduced-motion", value: "reduce" },
  ]);
  await page.setViewport({ width, height: 900 });
  const response = await page.goto(`${origin}/${name}.html`, { waitUntil: "networkidle0" });
  if (response.status() !== 200) found.push(`${where}: ${response.status()}`);
  return { page, where };
}

async function look(name, width, scheme) {
  const { page, where } = await open(name, width, scheme);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  for (const { id, nodes, help } of violations.filter((each) => !KNOWN.includes(each.id))) {
    found.push(`${where}: ${id}: ${help}, ${nodes.length} times: ${nodes[0].html.slice(0, 160)}`);
  }
  const wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  if (wider) found.push(`${where}: wider than the window`);
  const dark = await page.evaluate(() => document.documentElement.classList.contains("dark"));
  if (dark !== (scheme === "dark")) found.push(`${where}: not ${scheme}`);
  if (pictures) {
    await page.screenshot({ path: join(PICTURES, `${name.replaceAll("/", "-")}-${width}-${scheme}.png`) });
  }
  await page.close();
}

/** The search is in the site, and finds. */
async function searchFor(text) {
  const { page, where } = await open("docs/requests", 1280, "light");
  await page.click(".DocSearch-Button, .VPNavBarSearchButton, #local-search button");
  await page.waitForSelector("#localsearch-input", { timeout: 10_000 });
  await page.type("#localsearch-input", text);
  const results = await page.waitForSelector(".results .result", { timeout: 10_000 }).catch(() => null);
  if (results === null) found.push(`${where}: the search does not find ${text}`);
  await page.close();
}
