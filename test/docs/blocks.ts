/** The code blocks of Markdown texts, and the programs they stand for. */

/** A block of JavaScript or TypeScript, and what it says that it prints. */
export interface CodeBlock {
  /** File and line of the opening fence, as in `README.md:12`. */
  readonly place: string;
  readonly language: "js" | "ts";
  readonly code: string;
  /** Lines that it must print, exactly; `null` if it says nothing about them. */
  readonly output: readonly string[] | null;
}

interface Fence {
  readonly language: string;
  readonly line: number;
  readonly text: readonly string[];
  /** The last line with text in it before the block; empty if that was a block. */
  readonly before: string;
}

/** The js and ts blocks of a Markdown text. A text block right after one is its output. */
export function codeBlocks(file: string, markdown: string): CodeBlock[] {
  const fences = fencesOf(markdown);
  return fences.flatMap((fence, index): CodeBlock[] => {
    const { language, text, line } = fence;
    if (language !== "js" && language !== "ts") return [];
    const next = fences[index + 1];
    const printed = next?.language === "text" && next.before === "" ? next.text : commentsOf(text);
    return [{ place: `${file}:${line}`, language, code: text.join("\n"), output: printed }];
  });
}

/** A file name for it. */
export function programName({ place }: CodeBlock): string {
  return place.replaceAll(/\W+/g, "-");
}

function fencesOf(markdown: string): Fence[] {
  const fences: Fence[] = [];
  let open: { language: string; line: number; text: string[]; before: string } | null = null;
  let before = "";
  markdown.split("\n").forEach((line, index) => {
    const fence = /^```(\w*)$/.exec(line);
    if (fence === null) {
      if (open !== null) open.text.push(line);
      else if (line.trim() !== "") before = line;
    } else if (open === null) {
      open = { language: fence[1]!, line: index + 1, text: [], before };
    } else {
      fences.push(open);
      open = null;
      before = "";
    }
  });
  return fences;
}

/** What `console.log(...); // text` says that it prints; `null` if no line says so. */
function commentsOf(lines: readonly string[]): string[] | null {
  const said = lines.flatMap((line) => /^\s*console\.log\(.*\); \/\/ (.+)$/.exec(line)?.[1] ?? []);
  return said.length === 0 ? null : said;
}

/**
 * A block as a module: `manager` and the package's names are there without being declared, as the texts say. `exported`
 * are the package's names.
 */
export function asProgram({ code }: CodeBlock, exported: readonly string[]): string {
  const own = isBound("manager", code) || !isUsed("manager", code);
  const body = own ? code : `const manager = new PoolManager(10);\n${code}`;
  const missing = exported.filter((name) => isUsed(name, body) && !isBound(name, body));
  return `import { ${missing.join(", ")} } from "urlpool";\n${body}\nexport {};\n`;
}

function isUsed(name: string, code: string): boolean {
  // Not a property; but after the three dots of a spread.
  return new RegExp(`(?<!(?<!\\.\\.)\\.|[\\w"'/])${name}\\b(?!["'])`).test(code);
}

/** Imported or declared by the block itself. */
function isBound(name: string, code: string): boolean {
  return new RegExp(`import [^;]*\\b${name}\\b[^;]* from|(?:const|let|using|class|function) ${name}\\b`).test(
    code,
  );
}

/** The program with the modules in a folder in the place of the package and its subpaths. */
export function withModule(program: string, folder: string): string {
  return program.replaceAll(
    /(\bfrom |\bimport\()"urlpool(?:\/([\w-]+))?"/g,
    (_all, before, subpath = "index") => `${before}${JSON.stringify(`${folder}/${subpath}.mjs`)}`,
  );
}
