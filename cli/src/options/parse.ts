/** Arguments of the shell to values, by the table of options. */

import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "../failure.ts";
import {
  COMMANDS,
  type Command,
  type DataPart,
  type Kind,
  type OptionName,
  type OptionSpec,
  type OptionValues,
  type Values,
} from "./spec.ts";
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
  const { values, positionals, parts } = read(command, rest);
  return { command, values: { ...convert(values), parts }, args: positionals, help: values.help === true };
}

type Raw = Record<string, string | boolean | (string | boolean)[] | undefined>;

interface Read {
  readonly values: Raw;
  readonly positionals: string[];
  readonly parts: readonly DataPart[];
}

function read(command: Command, args: string[]): Read {
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
    const { values, positionals, tokens } = parseArgs({
      args,
      options,
      allowPositionals: true,
      tokens: true,
    });
    const parts = tokens.flatMap((token) =>
      token.kind === "option" && (token.name === "data" || token.name === "data-raw")
        ? [{ option: token.name, text: token.value as string } as const]
        : [],
    );
    return { values: values as Raw, positionals, parts };
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith("ERR_PARSE_ARGS")) throw error;
    throw new UsageError(explain(command, error as Error));
  }
}

/** What users of curl try, and what there is instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  "-X": "the method is the command, as in urlpool put URL",
  "--request": "the method is the command, as in urlpool put URL",
  "-G": "urlpool get has --data in the query",
  "--get": "urlpool get has --data in the query",
  "-b": "-H 'Cookie: a=1', or --cookie-jar FILE",
  "--cookie": "-H 'Cookie: a=1', or --cookie-jar FILE",
  "-e": "-H 'Referer: URL'",
  "--referer": "-H 'Referer: URL'",
  "-Z": "urlpool fetch-all fetches many at once",
  "--parallel": "urlpool fetch-all fetches many at once",
};

/** The first sentence of Node's message, and the option that was perhaps meant. */
function explain(command: Command, error: Error): string {
  const message = (error.message.split(/\. |\n/)[0] as string).replace(/\.$/, "");
  const instead = INSTEAD[/'(--?[\w-]+)'/.exec(message)?.[1] ?? ""];
  if (instead !== undefined && message.startsWith("Unknown")) return `${message}: ${instead}`;
  const unknown = /'--([\w-]+)'/.exec(message)?.[1];
  const near = optionsOf(command).find(
    ([name]) => unknown !== undefined && name.startsWith(unknown.slice(0, 4)),
  );
  const hint = near === undefined || near[0] === unknown ? "" : ` (is --${near[0]} meant?)`;
  return `${message}${hint}; see urlpool ${command} --help`;
}

function convert(raw: Raw): OptionValues {
  const entries = (Object.entries(OPTIONS) as [OptionName, OptionSpec][]).map(([name, { kind }]) => [
    name,
    READERS[kind](raw[name], name),
  ]);
  return Object.fromEntries(entries) as OptionValues;
}

const READERS: Readonly<Record<Kind, (value: Raw[string], name: string) => unknown>> = {
  flag: (value) => value === true,
  text: (value) => value,
  list: (value) => value ?? [],
  count: (value, name) => number(value, name, /^\d+$/, "a whole number"),
  seconds: (value, name) => seconds(value, name),
  limit: (value, name) => (seconds(value, name) === 0 ? Number.POSITIVE_INFINITY : seconds(value, name)),
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

/** In ms. */
function seconds(value: Raw[string], name: string): number | undefined {
  const given = number(value, name, /^\d*\.?\d+$/, "a number of seconds");
  return given === undefined ? undefined : given * 1000;
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
