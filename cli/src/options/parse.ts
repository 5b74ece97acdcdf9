/** Arguments of the shell to values, by the table of options. */

import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "../failure.ts";
import { COMMANDS, type Command, type Kind, type OptionName, type OptionSpec, type Values } from "./spec.ts";
import { letterOf, OPTIONS, optionsOf } from "./table.ts";

/** A command as it was written. */
export interface Invocation {
  readonly command: Command;
  readonly values: Values;
  /** What is no option: URLs, or the sub-command of `queue` first. */
  readonly args: readonly string[];
  /** Whether `--help` was among the options. */
  readonly help: boolean;
}

/**
 * Reads the arguments after the name of the program.
 * @throws {UsageError} if they cannot be understood.
 */
export function parse(argv: readonly string[]): Invocation {
  const [name, ...rest] = argv;
  const command = COMMANDS.find((known) => known === name);
  if (command === undefined) throw new UsageError(`no such command: ${name} (one of ${COMMANDS.join(", ")})`);
  const { values, positionals } = read(command, rest);
  return { command, values: convert(values), args: positionals, help: values.help === true };
}

type Raw = Record<string, string | boolean | (string | boolean)[] | undefined>;

function read(command: Command, args: string[]): { values: Raw; positionals: string[] } {
  const options: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean", short: "h" } };
  for (const [name, spec] of optionsOf(command)) {
    const short = letterOf(spec, command);
    options[name] = {
      type: spec.kind === "flag" ? "boolean" : "string",
      multiple: spec.kind === "list",
      ...(short === undefined ? {} : { short }),
    };
  }
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true }) as {
      values: Raw;
      positionals: string[];
    };
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith("ERR_PARSE_ARGS")) throw error;
    throw new UsageError(explain(command, error as Error));
  }
}

/** The first sentence of Node's message, and the option that was perhaps meant. */
function explain(command: Command, error: Error): string {
  const message = error.message.split(/\. |\n/)[0] as string;
  const unknown = /'--([\w-]+)'/.exec(message)?.[1];
  const near = optionsOf(command).find(
    ([name]) => unknown !== undefined && name.startsWith(unknown.slice(0, 4)),
  );
  const hint = near === undefined || near[0] === unknown ? "" : ` (is --${near[0]} meant?)`;
  return `${message}${hint}; see urlpool ${command} --help`;
}

function convert(raw: Raw): Values {
  const entries = (Object.entries(OPTIONS) as [OptionName, OptionSpec][]).map(([name, { kind }]) => [
    name,
    READERS[kind](raw[name], name),
  ]);
  return Object.fromEntries(entries) as Values;
}

const READERS: Readonly<Record<Kind, (value: Raw[string], name: string) => unknown>> = {
  flag: (value) => value === true,
  text: (value) => value,
  list: (value) => value ?? [],
  count: (value, name) => number(value, name, /^\d+$/, "a whole number"),
  seconds: (value, name) => milliseconds(number(value, name, /^\d*\.?\d+$/, "a number of seconds")),
  milliseconds: (value, name) => number(value, name, /^\d*\.?\d+$/, "a number of milliseconds"),
  rate: (value, name) => rate(value, name),
};

function number(value: Raw[string], name: string, form: RegExp, wanted: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !form.test(value)) {
    throw new UsageError(`--${name} must be ${wanted}, not '${String(value)}'`);
  }
  return Number(value);
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

const PER_SECOND: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

function rate(value: Raw[string], name: string): number | undefined {
  if (value === undefined) return undefined;
  const match = /^(\d*\.?\d+)(?:\/([smh]))?$/.exec(String(value));
  const perSecond = match === null ? 0 : Number(match[1]) / (PER_SECOND[match[2] ?? "s"] as number);
  if (!(perSecond > 0))
    throw new UsageError(`--${name} must be like 10/s, 600/m or 5000/h, not '${String(value)}'`);
  return perSecond;
}
