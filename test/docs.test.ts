/** The texts for users say what is true: their programs run and print what they say, their tables are complete. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { OPTION_RULES, type OptionName, type OptionRule } from "../src/client/options-table.ts";
import { trace } from "../src/core/trace.ts";
import * as urlpool from "../src/index.ts";
import { asProgram, type CodeBlock, codeBlocks, programName, withModule } from "./docs/blocks.ts";
import { runNode } from "./docs/run-node.ts";
import { compileBlocks, compiledPath } from "./docs/types.ts";
import { docsAuthority, startDocsWorld } from "./docs/world.ts";

const here = dirname(fileURLToPath(import.meta.url));
const compiled = dirname(here);
const root = findRoot(here);
/** Where the programs are written and run. */
const folder = join(compiled, "docs-programs");
/** The package in few files, as it is published: a program with it starts in half the time. */
const bundle = join(folder, "package");
const exported = Object.keys(urlpool);

const texts = textFiles().map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));
const blocks = texts.flatMap(({ file, text }) => codeBlocks(file, text));

describe("the programs in the texts", { concurrency: 2 }, () => {
  before(async () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ca.pem"), await docsAuthority());
    await bundlePackage();
  });

  // First, because it compiles the ts blocks for the others.
  const types = compileBlocks(blocks, { root, compiled, exported });

  it("has found them", () => {
    assert.ok(blocks.filter(({ place }) => place.startsWith("README.md")).length >= 2);
    assert.ok(blocks.length >= 53);
    assert.ok(blocks.some(({ language }) => language === "ts"));
  });

  it("have no type errors", async () => {
    assert.equal(await types, "");
  });

  for (const block of blocks) {
    it(`${block.place} runs`, async () => {
      if (block.language === "ts") await types;
      await runBlock(block);
    });
  }
});

describe("the tables in the texts", () => {
  it("name every option, who takes it and its default, as the table of options does", () => {
    const rows = texts.flatMap(({ file, text }) => optionRows(file, text));
    const told = new Set<string>(rows.map(({ name }) => name));
    // What managers make of their own options, for their pools.
    const inner = new Set(["proxyConfig", "socksOptions"]);
    const untold = Object.keys(OPTION_RULES).filter((name) => !told.has(name) && !inner.has(name));
    assert.deepEqual(untold, []);
    const wrong = rows.filter(({ name, perRequest, shown }) => {
      const rule = OPTION_RULES[name];
      return perRequest !== (rule.at === "pool+call") || shown !== shownDefault(rule);
    });
    assert.deepEqual(wrong, []);
  });

  it("the table of options has those of the types, and no others", () => {
    const options = readFileSync(join(root, "src/client/options.ts"), "utf8");
    const tls = readFileSync(join(root, "src/dial/tls/settings.ts"), "utf8");
    const names = [
      ...["PoolOptions", "PoolManagerOptions", "ProxyOptions"].flatMap((name) => membersOf(name, options)),
      ...["UrlopenOptions", "RequestOptions"].flatMap((name) => membersOf(name, options)),
      ...membersOf("TlsOptions", tls),
    ];
    assert.ok(names.length > 50);
    assert.deepEqual([...new Set(names)].sort(), Object.keys(OPTION_RULES).sort());
  });

  it("name every error class with its code, and no other", () => {
    const rows = [...textOf("docs/errors.md").matchAll(/^\| `(\w+)` \| `(ERR_URLPOOL_\w+)` \|/gm)];
    const told = rows.map(([, name, code]) => `${name} ${code}`).sort();
    assert.deepEqual(told, errorClasses().sort());
    const short = texts.flatMap(({ text }) => [...text.matchAll(/^\| `(\w+)` \| `((?!ERR_)[A-Z_]+)` \|/gm)]);
    assert.ok(short.length >= 10);
    for (const [, name, code] of short) {
      assert.ok(told.includes(`${name} ERR_URLPOOL_${code}`), `${name} ${code}`);
    }
  });

  it("name every diagnostics channel, and no other", () => {
    const told = [...textOf("docs/diagnostics.md").matchAll(/^\| `(urlpool:[\w:]+)`/gm)].map(
      ([, name]) => name,
    );
    const channels = Object.values(trace).map(({ name }) => String(name));
    assert.deepEqual(told.sort(), channels.sort());
  });

  it("link to files that are there", () => {
    const broken = texts.flatMap(({ file, text }) =>
      [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)]
        .map(([, target]) => join(dirname(file), target!))
        .filter((target) => !existsSync(join(root, target)))
        .map((target) => `${file}: ${target}`),
    );
    assert.deepEqual(broken, []);
  });

  it("link to headings that are there", () => {
    const broken = texts.flatMap(({ file, text }) => {
      return [...text.matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)]
        .filter(([, target, anchor]) => {
          const path = target === "" ? file : join(dirname(file), target!);
          const there = readFileSync(join(root, path), "utf8");
          return ![...there.matchAll(/^#+ (.*)$/gm)].some(([, heading]) => anchorOf(heading!) === anchor);
        })
        .map(([, target, anchor]) => `${file}: ${target}#${anchor}`);
    });
    assert.deepEqual(broken, []);
  });
});

describe("the README", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const lines = readme.split("\n");

  it("is short, and begins with what the package says of itself", () => {
    const { description } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    assert.equal(lines[0], description);
    assert.ok(lines.length <= 300);
  });

  it("makes a request and shows its result in the first ten lines", () => {
    const [block] = codeBlocks("README.md", `${lines.slice(0, 10).join("\n")}\n`);
    assert.match(block?.code ?? "", /request\("GET"/);
    assert.equal(block?.output?.length, 2);
  });

  it("shows five rows of figures", () => {
    const [, figures] = readme.split(/<!-- bench:(?:start|end) -->/);
    assert.equal(figures!.match(/^\|/gm)?.length, 7);
  });

  it("leads to every guide", () => {
    const guides = texts.map(({ file }) => file).filter((file) => file !== "README.md");
    assert.deepEqual(
      guides.filter((file) => !readme.includes(`](${file})`)),
      [],
    );
  });
});

describe("the map of the house", () => {
  it("has a row for every folder of src", () => {
    const map = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
    const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((each) =>
      each.isDirectory(),
    );
    assert.deepEqual(
      folders.map(({ name }) => name).filter((name) => !map.includes(`| \`src/${name}/\` |`)),
      [],
    );
  });

  it("names files that are there", () => {
    const map = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
    const [, path] = map.split("## The hot path");
    const named = [
      ...path!.split("## Release")[0]!.matchAll(/`((?:client|connection|manager|pool|protocol)\/[\w./-]+)`/g),
    ];
    assert.ok(named.length >= 5);
    const missing = named.map(([, name]) => name!).filter((name) => !existsSync(join(root, "src", name)));
    assert.deepEqual(missing, []);
  });
});

/** README and documentation; all of it is part of the repository. */
function textFiles(): string[] {
  const docs = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.sort().map((name) => `docs/${name}`)];
}

function textOf(file: string): string {
  return texts.find((text) => text.file === file)!.text;
}

async function bundlePackage(): Promise<void> {
  const entryPoints = readdirSync(join(root, "src"))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(compiled, "src", name.replace(".ts", ".js")));
  const options = { bundle: true, splitting: true, platform: "node", format: "esm" } as const;
  await build({ ...options, entryPoints, outdir: bundle, outExtension: { ".js": ".mjs" } });
}

async function runBlock(block: CodeBlock): Promise<void> {
  const cwd = join(folder, programName(block));
  mkdirSync(cwd);
  writeFileSync(join(cwd, "README.md"), "# A file to send\n");
  writeFileSync(join(cwd, "internal-ca.pem"), await docsAuthority());
  const program =
    block.language === "ts"
      ? readFileSync(compiledPath(block, compiled), "utf8")
      : asProgram(block, exported);
  writeFileSync(join(cwd, "program.mjs"), withModule(program, pathToFileURL(bundle).href));
  await using world = await startDocsWorld();
  const { code, stdout, stderr } = await runNode(
    ["--import", new URL("docs/preload.js", import.meta.url).href, "program.mjs"],
    cwd,
    { DOCS_PORTS: JSON.stringify(world.ports), NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") },
  );
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, `${block.place}\n${stderr}`);
  if (block.output !== null) assert.deepEqual(stdout.replace(/\n$/, "").split("\n"), block.output);
}

/** Names of the members of an interface, as its source has them. */
function membersOf(name: string, source: string): string[] {
  const body = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n(.*?)^\\}`, "ms").exec(source)?.[1] ?? "";
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, member]) => member!);
}

/** A row of a table of options. */
interface OptionRow {
  readonly place: string;
  readonly name: OptionName;
  readonly perRequest: boolean;
  readonly shown: string;
}

/** The rows of the tables whose names are all names of options: `Retry` has tables of its own. */
function optionRows(file: string, markdown: string): OptionRow[] {
  const tables = markdown.matchAll(/^\| option \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)/gm);
  return [...tables].flatMap(([, body]) => {
    const rows = body!
      .trimEnd()
      .split("\n")
      .flatMap((line) => {
        const [, names, shown] = line.split("|").map((cell) => cell.trim());
        const perRequest = names!.endsWith("*");
        return [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => ({
          place: `${file}: ${name}`,
          name: name as OptionName,
          perRequest,
          shown: shown!,
        }));
      });
    return rows.every(({ name }) => Object.hasOwn(OPTION_RULES, name)) ? rows : [];
  });
}

/** The default of an option as the texts write it. */
function shownDefault({ shown, default: value }: OptionRule): string {
  if (shown !== undefined) return shown;
  if (value === null || value === Number.POSITIVE_INFINITY) return "none";
  if (typeof value === "boolean") return `\`${value}\``;
  return String(value).replace(/\B(?=(\d{3})+$)/g, String(value).length > 4 ? " " : "");
}

function errorClasses(): string[] {
  const values = Object.values(urlpool) as unknown[];
  const classes = values.filter(
    (value): value is new (text: string, options: object) => Error & { code: string } => {
      return typeof value === "function" && value.prototype instanceof Error;
    },
  );
  return classes.map((Class) => `${Class.name} ${new Class("x", {}).code}`);
}

/** As on GitHub. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
}

function findRoot(start: string): string {
  return existsSync(join(start, "package.json")) ? start : findRoot(dirname(start));
}
