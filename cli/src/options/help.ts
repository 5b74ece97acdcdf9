/** Texts of `--help`, and the tables of the documentation, from the table of options. */

import { EXIT_MEANINGS } from "../failure.ts";
import { COMMANDS, type Command, METHODS, type OptionName, type OptionSpec } from "./spec.ts";
import { letterOf, OPTIONS, optionsOf } from "./table.ts";

const WIDTH = 100;
const COLUMN = 32;

const SUMMARIES: Readonly<Record<Command, string>> = {
  get: "Ask for URLs, and print what comes.",
  head: "Ask for the heads of URLs.",
  post: "Send a body to URLs with POST.",
  put: "Send a body to URLs with PUT.",
  delete: "Send DELETE to URLs.",
  "fetch-all": "Fetch thousands of URLs: many at once, politely, and so that it can be gone on with.",
  queue: "Share a list of URLs among many machines: add, status, results, failed, retry, drain.",
};

const USAGES: Readonly<Record<Command, string>> = {
  get: "urlpool get [options] URL...",
  head: "urlpool head [options] URL...",
  post: "urlpool post [options] URL...",
  put: "urlpool put [options] URL...",
  delete: "urlpool delete [options] URL...",
  "fetch-all": "urlpool fetch-all [options] [URL...]",
  queue: "urlpool queue add|status|results|failed|retry|drain --queue redis://HOST/N [--run NAME]",
};

const EXAMPLES: Readonly<Record<Command, readonly string[]>> = {
  get: [
    "urlpool get https://api.example.com/users",
    "urlpool get -d q=pools -H 'Accept: text/plain' https://api.example.com/search",
    "urlpool get -L -o big.bin --waterfall big.svg https://files.example.com/big.bin",
    "urlpool get -s -o /dev/null -w '%{http_code} %{time_total}\\n' https://example.com/",
  ],
  head: ["urlpool head https://example.com/"],
  post: [
    `urlpool post --json '{"name":"Ada"}' https://api.example.com/users`,
    "urlpool post -d user=ada -d remember=yes https://api.example.com/login",
    "urlpool post -F title=Lake -F 'photo=@lake.jpg;type=image/jpeg' https://api.example.com/photos",
  ],
  put: ["urlpool put --data-binary @report.pdf https://files.example.com/report.pdf"],
  delete: ["urlpool delete -u ada:secret https://api.example.com/users/7"],
  "fetch-all": [
    "urlpool fetch-all -i urls.txt -o pages",
    "urlpool fetch-all -i urls.txt -o pages --resume --only-failed",
    "zcat urls.gz | urlpool fetch-all -i - -j 200 --delay 500 --robots > results.jsonl",
    "urlpool fetch-all --queue redis://10.0.0.5/0 --run news -o pages",
  ],
  queue: [
    "urlpool queue add -i urls.txt --queue redis://10.0.0.5/0 --run news",
    "urlpool queue status --queue redis://10.0.0.5/0 --run news",
    "urlpool queue failed --queue redis://10.0.0.5/0 --run news > failed.jsonl",
    "urlpool queue retry --queue redis://10.0.0.5/0 --run news",
  ],
};

/** What `urlpool --help` prints. */
export function overview(version: string): string {
  const commands = COMMANDS.map((name) => `  ${name.padEnd(11)} ${SUMMARIES[name]}`);
  return [
    `urlpool ${version}: pools of HTTP connections, from the shell`,
    "",
    "Usage: urlpool COMMAND [options]",
    "",
    ...commands,
    "",
    "urlpool COMMAND --help shows options and examples, urlpool --version the version.",
    "",
    ...exitCodes(),
    "",
  ].join("\n");
}

/** What `urlpool COMMAND --help` prints. */
export function helpOf(command: Command): string {
  const specs = optionsOf(command);
  const groups = [...new Set(specs.map(([, { group }]) => group))];
  const sections = groups.flatMap((group) => [
    "",
    `${group}:`,
    ...specs
      .filter(([, spec]) => spec.group === group)
      .flatMap(([name, spec]) => optionLines(name, spec, command)),
  ]);
  return [
    `Usage: ${USAGES[command]}`,
    "",
    SUMMARIES[command],
    ...sections,
    "",
    "Examples:",
    ...EXAMPLES[command].map((line) => `  ${line}`),
    "",
    ...exitCodes(),
    "",
  ].join("\n");
}

/** The options and exit codes as Markdown, for the documentation. */
export function markdown(): string {
  const all = Object.entries(OPTIONS) as [OptionName, OptionSpec][];
  const groups = [...new Set(all.map(([, { group }]) => group))];
  const tables = groups.flatMap((group) => [
    `### ${group}`,
    "",
    "| option | commands | meaning |",
    "|---|---|---|",
    ...all.filter(([, spec]) => spec.group === group).map(([name, spec]) => row(name, spec)),
    "",
  ]);
  const codes = EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return [...tables, "### Exit codes", "", "| code | meaning |", "|---:|---|", ...codes, ""].join("\n");
}

function row(name: OptionName, spec: OptionSpec): string {
  const { short, shortIn, value } = spec;
  const letter =
    short === undefined ? "" : `\`-${short}\`${shortIn === undefined ? "" : ` (${shortIn.join(", ")})`} `;
  const long = `\`--${name}${value === undefined ? "" : ` ${value}`}\``;
  return `| ${letter}${long.replaceAll("|", "\\|")} | ${commandsOf(spec)} | ${spec.help} |`;
}

function commandsOf({ commands }: OptionSpec): string {
  const everyMethod = METHODS.every((name) => commands.includes(name));
  if (everyMethod && commands.includes("queue")) return "all";
  if (everyMethod) return commands.includes("fetch-all") ? "each method, fetch-all" : "each method";
  return commands.join(", ");
}

function optionLines(name: OptionName, spec: OptionSpec, command: Command): string[] {
  const letter = letterOf(spec, command);
  const left = `  ${letter === undefined ? "   " : `-${letter},`} --${name}${spec.value === undefined ? "" : ` ${spec.value}`}`;
  const [first, ...others] = wrap(spec.help, WIDTH - COLUMN);
  const margin = " ".repeat(COLUMN);
  const lines = left.length < COLUMN ? [`${left.padEnd(COLUMN)}${first}`] : [left, `${margin}${first}`];
  return [...lines, ...others.map((line) => `${margin}${line}`)];
}

function exitCodes(): string[] {
  return [
    "Exit codes:",
    ...EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
  ];
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1] as string;
    if (last !== "" && last.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
