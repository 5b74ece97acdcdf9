/** The documentation site. `npm run docs` in the folder above lays its pages out in `.site/` first. */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { DESIGN, GUIDES, PROJECT } from "../pages.mjs";

const listed = (folder, pages) => pages.map(([file, text]) => ({ text, link: `/${folder}${file}` }));

const referenceList = fileURLToPath(new URL("../.site/reference/typedoc-sidebar.json", import.meta.url));
const reference = existsSync(referenceList) ? JSON.parse(readFileSync(referenceList, "utf8")) : [];

export default defineConfig({
  title: "urlpool",
  description: "An HTTP client for Node.js with connection pools: urllib3's PoolManager in TypeScript",
  lang: "en",
  srcDir: ".site",
  outDir: ".vitepress/dist",
  cacheDir: ".vitepress/cache",
  cleanUrls: false,
  lastUpdated: false,
  // The theme's home page has no main landmark.
  transformHtml: (html) => html.replace('class="VPContent is-home"', 'role="main" class="VPContent is-home"'),
  head: [["link", { rel: "icon", href: "data:," }]],
  markdown: { theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" } },
  themeConfig: {
    search: { provider: "local" },
    outline: { level: [2, 3] },
    nav: [
      { text: "Guides", link: "/docs/requests" },
      { text: "Design", link: "/docs/design/pool" },
      { text: "Reference", link: "/reference/" },
      { text: "Command", link: "/cli/README" },
    ],
    sidebar: {
      "/reference/": [{ text: "Reference", items: reference }],
      "/": [
        { text: "Guides", items: listed("docs/", GUIDES) },
        { text: "Design", items: listed("docs/design/", DESIGN) },
        { text: "Project", items: listed("", PROJECT) },
      ],
    },
  },
});
