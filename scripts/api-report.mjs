/**
 * `npm run api`: writes `api/urlpool.api.md`, every public declaration without its comments, so that a review shows what
 * a change does to the public surface. With `--check` it fails where the file says something else.
 *
 *     node scripts/api-report.mjs [--check] [FOLDER of declarations] [FILE]
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The report of the entries directly in a folder of `.d.ts` files as the compiler writes them. */
export function apiReport(folder) {
  const modules = new Map();
  const read = (path) => {
    if (!modules.has(path)) modules.set(path, moduleOf(path));
    return modules.get(path);
  };
  const entries = readdirSync(folder)
    .filter((name) => name.endsWith(".d.ts"))
    .sort();
  const shown = new Set();
  const parts = entries.map((entry) => {
    const name = basename(entry, ".d.ts");
    const title = name === "index" ? "urlpool" : `urlpool/${name}`;
    const public_ = exportsOf(join(folder, entry), read);
    return section(title, [...public_].sort(byName), shown, read);
  });
  const inner = section("In the types, but not exported", innerOf(shown, read), shown, read);
  return `# Public surface\n\nWritten by \`npm run api\`.\n${parts.join("")}${inner}`;
}

function byName([a], [b]) {
  return a < b ? -1 : 1;
}

function section(title, named, shown, read) {
  const texts = named.map(([name, place]) => {
    if (place === undefined) throw new Error(`${title}: no declaration of ${name}`);
    if (shown.has(keyOf(place))) return `// ${name}: above`;
    shown.add(keyOf(place));
    const text = read(place.path).declared.get(place.name) ?? `// ${place.name} is missing`;
    return name === place.name ? text : `// as ${name}\n${text}`;
  });
  return texts.length === 0 ? "" : `\n## ${title}\n\n\`\`\`ts\n${texts.join("\n\n")}\n\`\`\`\n`;
}

const keyOf = ({ path, name }) => `${path}#${name}`;

/** Where each exported name of a module is declared. */
function exportsOf(path, read) {
  const module = read(path);
  const found = new Map(module.exported.map(([name, local]) => [name, placeOf(path, local, read)]));
  for (const [name, from, original] of module.passedOn) {
    found.set(name, exportsOf(from, read).get(original) ?? { path: from, name: original });
  }
  for (const from of module.stars) {
    for (const [name, place] of exportsOf(from, read)) found.set(name, found.get(name) ?? place);
  }
  return found;
}

/** Where a name that a module uses is declared; `undefined` if it is not ours. */
function placeOf(path, name, read) {
  const module = read(path);
  if (module.declared.has(name)) return { path, name };
  const imported = module.imported.get(name);
  return imported && exportsOf(imported.path, read).get(imported.name);
}

/** Types that the shown declarations mention and that are not shown themselves. Classes are none: nobody can make them. */
function innerOf(shown, read) {
  const inner = new Map();
  const waiting = [...shown].map((key) => key.split("#"));
  for (const [path, name] of waiting) {
    for (const [word] of (read(path).declared.get(name) ?? "").matchAll(/\b[A-Z]\w*/g)) {
      const place = placeOf(path, word, read);
      if (place === undefined || shown.has(keyOf(place)) || inner.has(keyOf(place))) continue;
      if (/^(export )?declare /.test(read(place.path).declared.get(place.name))) continue;
      inner.set(keyOf(place), [place.name, place]);
      waiting.push([place.path, place.name]);
    }
  }
  return [...inner.values()].sort(byName);
}

/** Declarations, imports and exports of a `.d.ts` file. */
function moduleOf(path) {
  const module = { declared: new Map(), exported: [], passedOn: [], stars: [], imported: new Map() };
  for (const text of statementsOf(readFileSync(path, "utf8"))) addStatement(module, path, text);
  return module;
}

function addStatement(module, path, text) {
  const from = /from "(\.[^"]+)\.[jt]s";$/.exec(text)?.[1];
  const file = from && join(dirname(path), `${from}.d.ts`);
  const list = /^(?:import|export)(?: type)? \{([^}]*)\}/.exec(text)?.[1];
  if (/^export \*/.test(text)) module.stars.push(file);
  else if (list !== undefined) addList(module, file, text.startsWith("export"), list);
  else addDeclaration(module, text);
}

function addList(module, file, isExport, list) {
  for (const item of list.split(",").filter((each) => each.trim() !== "")) {
    const [original, name = original] = item
      .trim()
      .replace(/^type /, "")
      .split(" as ");
    if (isExport && file !== undefined) module.passedOn.push([name, file, original]);
    else if (isExport) module.exported.push([name, original]);
    else if (file !== undefined) module.imported.set(name, { path: file, name: original });
  }
}

function addDeclaration(module, text) {
  const pattern = /^(export )?(?:declare )?(?:abstract )?(?:class|interface|type|const|let|function) (\w+)/;
  const [, isExport, name] = pattern.exec(text) ?? [];
  if (name === undefined) return;
  const earlier = module.declared.get(name);
  module.declared.set(name, earlier === undefined ? text : `${earlier}\n${text}`);
  if (isExport && earlier === undefined) module.exported.push([name, name]);
}

/** The statements of a file: each begins at the left edge. Without comments and private members. */
function statementsOf(text) {
  const lines = text
    .replaceAll(/^ *\/\*\*[\s\S]*?\*\/\n/gm, "")
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^ +(#private|private .*);$/.test(line));
  const statements = [];
  for (const line of lines) {
    if (/^[\s})\]]/.test(line)) statements[statements.length - 1] += `\n${line}`;
    else statements.push(line);
  }
  return statements;
}

function main(args) {
  const [folder = join(ROOT, "dist"), file = join(ROOT, "api/urlpool.api.md")] = args.filter(
    (each) => !each.startsWith("--"),
  );
  const report = apiReport(folder);
  if (!args.includes("--check")) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, report);
    return;
  }
  const written = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (report === written) return;
  const line = report.split("\n").findIndex((each, index) => each !== written.split("\n")[index]);
  console.error(`the public surface has changed (line ${line + 1}: ${report.split("\n")[line]})`);
  console.error("run `npm run api`, look at the difference, and commit it");
  process.exitCode = 1;
}

if (import.meta.filename === process.argv[1]) main(process.argv.slice(2));
