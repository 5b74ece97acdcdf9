/** The types of the texts' programs: checked by the compiler, which also makes JavaScript of those in TypeScript. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asProgram, type CodeBlock, programName } from "./blocks.ts";
import { runNode } from "./run-node.ts";

/** Where things are. */
export interface Places {
  /** Folder of package.json. */
  readonly root: string;
  /** Folder of the compiled sources and tests. */
  readonly compiled: string;
  /** Names of the package. */
  readonly exported: readonly string[];
}

/** Compiles all blocks, JavaScript too; the errors of the compiler, empty if there are none. */
export async function compileBlocks(blocks: readonly CodeBlock[], places: Places): Promise<string> {
  const { root, compiled, exported } = places;
  rmSync(join(compiled, "docs-types"), { recursive: true, force: true });
  let errors = "";
  for (const [project, members] of projectsOf(blocks)) {
    const strict = project !== "js";
    const folder = join(compiled, "docs-types", project);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(projectFile(places, strict)));
    for (const block of members) {
      writeFileSync(join(folder, `${programName(block)}.ts`), asProgram(block, exported));
    }
    const { code, stdout } = await runNode(["node_modules/typescript/bin/tsc", "-p", folder], root);
    if (code !== 0) errors += `${stdout}\n`;
  }
  return errors;
}

/** The JavaScript of a block in TypeScript. */
export function compiledPath(block: CodeBlock, compiled: string): string {
  const name = programName(block);
  return join(compiled, "docs-types", projectOf(block), "out", `${name}.js`);
}

/** What one block declares for the package must not show in another; of JavaScript less is asked. */
function projectOf(block: CodeBlock): string {
  return block.code.includes("declare module") ? programName(block) : block.language;
}

function projectsOf(blocks: readonly CodeBlock[]): Map<string, CodeBlock[]> {
  const projects = new Map<string, CodeBlock[]>();
  for (const block of blocks) {
    const project = projectOf(block);
    projects.set(project, [...(projects.get(project) ?? []), block]);
  }
  return projects;
}

function projectFile({ root, compiled }: Places, strict: boolean): object {
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
    strict,
    exactOptionalPropertyTypes: strict,
    skipLibCheck: true,
    outDir: "out",
    paths: { urlpool: [join(compiled, "src/index.d.ts")], "urlpool/*": [join(compiled, "src/*.d.ts")] },
  };
  return { compilerOptions, include: ["*.ts"] };
}
