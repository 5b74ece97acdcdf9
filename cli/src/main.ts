/** The command `urlpool`. */

import { createRequire } from "node:module";
import { EXIT, Failure } from "./failure.ts";
import { parse } from "./options/parse.ts";
import { METHODS } from "./options/spec.ts";

/** Runs the command line; gives the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    const { errorLine, exitCodeOf } = await import("./request/errors.ts");
    process.stderr.write(`urlpool: ${error instanceof Failure ? error.message : errorLine(error)}\n`);
    return error instanceof Failure ? error.exitCode : exitCodeOf(error);
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  if (argv.length === 0 || argv[0] === "--help" || argv[0] === "-h" || argv[0] === "help")
    return await help(argv);
  if (argv[0] === "--version" || argv[0] === "-V") return print(`${version()}\n`);
  const { command, values, args, help: asked } = parse(argv);
  if (asked) return await help(["help", command]);
  const method = METHODS.find((name) => name === command);
  if (method !== undefined)
    return await (await import("./request/command.ts")).requestCommand(method, values, args);
  if (command === "queue") return await (await import("./queue/command.ts")).queueCommand(values, args);
  return await (await import("./fetch-all/command.ts")).fetchAll(values, args);
}

/** `urlpool help [COMMAND]`; `urlpool help --markdown` prints the tables of the documentation. */
async function help(argv: readonly string[]): Promise<number> {
  const { helpOf, markdown, overview } = await import("./options/help.ts");
  const [, topic] = argv;
  if (topic === "--markdown") return print(markdown());
  return print(topic === undefined ? overview(version()) : helpOf(parse([topic]).command));
}

function version(): string {
  return (createRequire(import.meta.url)("urlpool/package.json") as { version: string }).version;
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}
