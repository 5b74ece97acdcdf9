/** The rules of the house as functions of a file's path and text: each gives a line for every breach. */

/** A file of `src/`: its path below `src/`, such as `core/url.ts`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Floors from the ground up; those of one row do not see each other. */
const FLOORS: readonly (readonly string[])[] = [
  ["core"],
  ["protocol", "policy", "body"],
  ["connection"],
  ["dial"],
  ["pool"],
  ["client"],
  ["download", "adapters"],
  ["manager"],
  ["addons", "testing"],
];

/** The only file of `connection` that `pool` may know: its types. */
const CONNECTION_TYPES = "connection/connection.ts";

/**
 * What could be somebody else's code over the package: it sees the root file, as they do, and these. Managers offer the
 * adapters, which therefore take what they run with from where the root file has it, and the last three besides.
 */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  addons: [],
  adapters: [
    "client/connection-pool.ts",
    "client/cookies.ts",
    "client/options.ts",
    "client/proxy.ts",
    "client/response/response.ts",
    "core/errors.ts",
    "core/headers.ts",
    "policy/retry.ts",
    "connection/connection.ts",
    "dial/wire.ts",
    "pool/waiter.ts",
  ],
  testing: ["connection/connection.ts", "protocol/response-head.ts"],
};
const ROOT_FILE = "index.ts";

/** Floors whose files do no input or output. */
const WITHOUT_IO = ["protocol", "policy", "pool"];
/** Optional peers, and the one file that may load each. */
const PEERS: Readonly<Record<string, string>> = { socks: "dial/proxy/socks.ts" };
const IO_MODULE = /^(?:node:)?(?:net|tls|dns|http|https|http2|dgram|fs|child_process)(?:\/|$)/;

/** Every module a file names, in `import`, `export ... from` and `import()`. */
export function importedModules(text: string): string[] {
  const matches = codeOf(text).matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])([^"'\n]+)\1/g);
  return [...matches].map((match) => match[2] as string);
}

/** Imports that climb the stairs, cross between neighbours, or bring I/O to a floor without. */
export function importBreaches(file: SourceFile): string[] {
  const own = floorOf(file.path);
  // The root file gathers the public names of all floors.
  if (own === "") return [];
  return importedModules(file.text).flatMap((specifier) => {
    const target = specifier.startsWith(".") ? resolvePath(file.path, specifier) : undefined;
    const allowed = target === undefined ? mayUseModule(own, file.path, specifier) : maySee(own, target);
    return allowed ? [] : [`${file.path} must not import ${target ?? specifier}`];
  });
}

/** They let the event loop take its turn, which is no time. */
const TURNS = new Set([
  "adapters/fetch/bodies.ts",
  "connection/poll-barrier.ts",
  "connection/http1/upload.ts",
  "connection/http2/writer.ts",
]);

/** Uses of the platform's clock and timers outside the files that may. */
export function timeBreaches(file: SourceFile): string[] {
  const banned =
    /(?<![.\w$"])(?:setTimeout|setInterval|setImmediate)\b|\b(?:performance|Date)\.now\b|new Date\(\s*\)/g;
  return [
    ...matchLines(file, banned, (found) => found === "setImmediate" && TURNS.has(file.path)),
    ...matchLines(file, /["'](?:node:)?(?:timers|timers\/promises|perf_hooks)["']/g, () => false),
  ].filter(() => file.path !== "core/clock.ts");
}

/** Uses of the type `any`. */
export function anyBreaches(file: SourceFile): string[] {
  return matchLines(file, /(?::|\bas|<|,|\||&|=>|=)\s*any\b(?!\s*[:(?.])|<any\b/g, () => false);
}

/** Lines that a file may have: what is longer holds more than one thing. */
const MOST_LINES = 450;

export function lengthBreaches({ path, text }: SourceFile): string[] {
  const lines = text.split("\n").length - 1;
  return lines > MOST_LINES ? [`${path}: ${lines} lines, at most ${MOST_LINES}`] : [];
}

/** Rings of files of one floor that import each other, types included: none can be read, or moved, alone. */
export function cycleBreaches(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  const imports = new Map(
    files.map(({ path, text }) => {
      const targets = importedModules(text).map((specifier) => resolvePath(path, specifier));
      return [path, targets.filter((to) => paths.has(to) && floorOf(to) === floorOf(path))] as const;
    }),
  );
  const done = new Set<string>();
  const breaches: string[] = [];
  function visit(path: string, way: readonly string[]): void {
    if (way.includes(path)) breaches.push([...way.slice(way.indexOf(path)), path].join(" -> "));
    if (way.includes(path) || done.has(path)) return;
    for (const target of imports.get(path)!) visit(target, [...way, path]);
    done.add(path);
  }
  for (const path of paths) visit(path, []);
  return breaches;
}

/** Exported declarations without a doc comment directly above; overloads and merged names need only the first. */
export function docBreaches(file: SourceFile): string[] {
  const declaration =
    /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:class|const|function\*?|interface|let|type) (\w+)/;
  const documented = new Set<string>();
  const breaches: string[] = [];
  const lines = file.text.split("\n");
  for (const [index, line] of lines.entries()) {
    const name = declaration.exec(line)?.[1];
    if (name === undefined) continue;
    if (lines[index - 1]?.trimEnd().endsWith("*/")) documented.add(name);
    if (!documented.has(name)) breaches.push(`${file.path}:${index + 1} ${name} has no doc comment above it`);
  }
  return breaches;
}

/** The first folder of a path below `src/`; empty for a file directly in `src/`. */
function floorOf(path: string): string {
  return path.includes("/") ? (path.split("/")[0] as string) : "";
}

function levelOf(floor: string): number {
  return FLOORS.findIndex((row) => row.includes(floor));
}

function maySee(own: string, target: string): boolean {
  const floor = floorOf(target);
  if (floor === own) return true;
  if (OUTSIDE[own] !== undefined) return target === ROOT_FILE || OUTSIDE[own].includes(target);
  if (own === "pool" && floor === "connection") return target === CONNECTION_TYPES;
  return levelOf(floor) >= 0 && levelOf(floor) < levelOf(own);
}

function mayUseModule(own: string, path: string, specifier: string): boolean {
  if (PEERS[specifier] === path) return true;
  return specifier.startsWith("node:") && !(WITHOUT_IO.includes(own) && IO_MODULE.test(specifier));
}

function resolvePath(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** The text with comment lines and trailing comments made empty; lines keep their numbers. */
function codeOf(text: string): string {
  return text
    .replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ""))
    .replace(/(^|\s)\/\/.*$/gm, "$1");
}

function matchLines(file: SourceFile, pattern: RegExp, allowed: (found: string) => boolean): string[] {
  const lines = codeOf(file.text).split("\n");
  return lines.flatMap((line, index) =>
    [...line.matchAll(pattern)]
      .filter(([found]) => !allowed(found))
      .map(([found]) => `${file.path}:${index + 1} ${found.trim()}`),
  );
}
