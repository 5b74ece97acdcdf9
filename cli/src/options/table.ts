/** The one table of options: it drives parsing, `--help` and the tables of the documentation. */

import { type Command, METHODS, type OptionName, type OptionSpec, type OptionValues } from "./spec.ts";

const EACH: readonly Command[] = METHODS;
const ALL: readonly Command[] = [...METHODS, "fetch-all"];
const BODY: readonly Command[] = ["get", "post", "put", "delete"];
const MANY: readonly Command[] = ["fetch-all"];
const INPUT: readonly Command[] = ["fetch-all", "queue"];
const TRIES: readonly Command[] = [...METHODS, "fetch-all", "queue"];

/** An option whose kind gives values of type `Value`. */
interface SpecFor<Value> extends OptionSpec {
  readonly kind: Value extends boolean
    ? "flag"
    : Value extends string[]
      ? "list"
      : Value extends number
        ? "count" | "seconds" | "limit" | "milliseconds" | "rate"
        : "text";
}

/** The options by name, in the order of `--help`. */
export const OPTIONS: { readonly [Name in OptionName]: SpecFor<NonNullable<OptionValues[Name]>> } = {
  header: {
    kind: "list",
    short: "H",
    value: "LINE",
    commands: ALL,
    group: "Request",
    help: "Header field 'Name: value'. 'Name:' leaves a default field out, @FILE reads lines from a file.",
  },
  "user-agent": {
    kind: "text",
    short: "A",
    value: "NAME",
    commands: ALL,
    group: "Request",
    help: "The User-Agent to send.",
  },
  user: {
    kind: "text",
    short: "u",
    value: "USER:PASSWORD",
    commands: ALL,
    group: "Request",
    help: "Basic credentials; they do not follow a redirect to another origin.",
  },
  data: {
    kind: "list",
    short: "d",
    value: "DATA",
    commands: BODY,
    group: "Request",
    help: "Form data 'a=1&b=2', joined by '&' if repeated; @FILE reads a file without its line ends. With get: into the query.",
  },
  "data-raw": {
    kind: "list",
    value: "DATA",
    commands: BODY,
    group: "Request",
    help: "As --data, but '@' has no meaning.",
  },
  "data-binary": {
    kind: "list",
    value: "DATA",
    commands: BODY,
    group: "Request",
    help: "The body as it is; @FILE streams a file, @- standard input.",
  },
  form: {
    kind: "list",
    short: "F",
    value: "NAME=VALUE",
    commands: ["post", "put"],
    group: "Request",
    help: "A field of multipart/form-data; NAME=@FILE uploads a file, also with ';type=' and ';filename='.",
  },
  json: {
    kind: "list",
    value: "JSON",
    commands: ["post", "put", "delete"],
    group: "Request",
    help: "The body as JSON, joined if repeated; sets Content-Type and Accept. @FILE reads a file, @- standard input.",
  },
  "cookie-jar": {
    kind: "text",
    short: "c",
    value: "FILE",
    commands: EACH,
    group: "Request",
    help: "Send the cookies of this file, and write those that come back to it; curl's format. Needs the package tough-cookie.",
  },
  compressed: {
    kind: "flag",
    commands: EACH,
    group: "Request",
    help: "Ask for a compressed answer, and decode it.",
  },
  http2: {
    kind: "flag",
    commands: ALL,
    group: "Connection",
    help: "HTTP/2 where TLS agrees on it, many requests on one connection; else HTTP/1.1.",
  },
  proxy: {
    kind: "text",
    short: "x",
    value: "URL",
    commands: ALL,
    group: "Connection",
    help: "HTTP or SOCKS proxy. Default: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY. SOCKS needs the package socks.",
  },
  noproxy: {
    kind: "text",
    value: "HOSTS",
    commands: ALL,
    group: "Connection",
    help: "Hosts that are asked directly, separated by commas; '*' for all. Default: NO_PROXY.",
  },
  location: {
    kind: "flag",
    short: "L",
    commands: EACH,
    group: "Connection",
    help: "Follow redirects (fetch-all always does).",
  },
  "max-redirs": {
    kind: "count",
    value: "N",
    commands: ALL,
    group: "Connection",
    help: "Most redirects of one request. Default 20.",
  },
  insecure: {
    kind: "flag",
    short: "k",
    commands: ALL,
    group: "Connection",
    help: "Do not verify certificates.",
  },
  cacert: {
    kind: "text",
    value: "FILE",
    commands: ALL,
    group: "Connection",
    help: "Authorities to trust instead of Node's, as PEM.",
  },
  cert: {
    kind: "text",
    short: "E",
    value: "FILE[:PASSWORD]",
    commands: ALL,
    group: "Connection",
    help: "Client certificate as PEM, with its key unless --key names it.",
  },
  key: { kind: "text", value: "FILE", commands: ALL, group: "Connection", help: "Key of --cert." },
  "max-time": {
    kind: "limit",
    short: "m",
    value: "SECONDS",
    commands: ALL,
    group: "Connection",
    help: "Longest time for one URL, redirects and retries included (in fetch-all: for one try); 0 for no limit.",
  },
  "connect-timeout": {
    kind: "limit",
    value: "SECONDS",
    commands: ALL,
    group: "Connection",
    help: "Longest time until a connection stands; 0 for no limit. Default 10.",
  },
  retry: {
    kind: "count",
    value: "N",
    commands: TRIES,
    group: "Connection",
    help: "Tries after the first, for broken connections and the statuses 408, 429, 500, 502, 503, 504. Default 0; fetch-all and queue add: 3.",
  },
  "retry-delay": {
    kind: "seconds",
    value: "SECONDS",
    commands: TRIES,
    group: "Connection",
    help: "Wait before a retry, doubled each time. Default 1.",
  },
  resolve: {
    kind: "list",
    value: "HOST:PORT:ADDRESS",
    commands: ALL,
    group: "Connection",
    help: "Use these addresses (separated by commas) for a host, whatever the port is; '*' for any host.",
  },
  "unix-socket": {
    kind: "text",
    value: "PATH",
    commands: EACH,
    group: "Connection",
    help: "Connect to this Unix-domain socket.",
  },
  ipv4: { kind: "flag", short: "4", commands: ALL, group: "Connection", help: "Use IPv4 addresses only." },
  ipv6: { kind: "flag", short: "6", commands: ALL, group: "Connection", help: "Use IPv6 addresses only." },
  output: {
    kind: "list",
    short: "o",
    value: "FILE",
    commands: EACH,
    group: "Answer",
    help: "Write the body to a file, which appears when it is complete; one for each URL.",
  },
  "remote-name": {
    kind: "flag",
    short: "O",
    commands: EACH,
    group: "Answer",
    help: "Write to a file named as the last part of the URL.",
  },
  "output-dir": {
    kind: "text",
    short: "o",
    shortIn: ["fetch-all"],
    value: "DIR",
    commands: ALL,
    group: "Answer",
    help: "Folder for the files. fetch-all without it keeps no bodies, and prints its results.",
  },
  verbose: {
    kind: "flag",
    short: "v",
    commands: EACH,
    group: "Answer",
    help: "Show connections, TLS, reuse, retries, and both heads on standard error.",
  },
  silent: {
    kind: "flag",
    short: "s",
    commands: ALL,
    group: "Answer",
    help: "No progress and no error messages.",
  },
  "show-error": {
    kind: "flag",
    short: "S",
    commands: EACH,
    group: "Answer",
    help: "With --silent: error messages all the same.",
  },
  include: {
    kind: "flag",
    short: "i",
    commands: EACH,
    group: "Answer",
    help: "Show the head before the body, in the file of -o too.",
  },
  head: { kind: "flag", short: "I", commands: ["get"], group: "Answer", help: "Send HEAD, show the head." },
  "write-out": {
    kind: "text",
    short: "w",
    value: "FORMAT",
    commands: EACH,
    group: "Answer",
    help: "Print this after each URL, with %{http_code}, %{time_total}, %{json} and others; @FILE reads it from a file, @- from standard input.",
  },
  fail: {
    kind: "flag",
    short: "f",
    commands: EACH,
    group: "Answer",
    help: "A status of 400 or more is a failure: no body, exit code 22.",
  },
  input: {
    kind: "text",
    short: "i",
    shortIn: ["fetch-all", "queue"],
    value: "FILE",
    commands: INPUT,
    group: "List of URLs",
    help: "URLs, one a line, or JSON lines { url, method, headers, body, out }; '-' is standard input.",
  },
  results: {
    kind: "text",
    value: "FILE",
    commands: MANY,
    group: "List of URLs",
    help: "Results as JSON lines, one for each URL. Default: DIR/.urlpool/results.jsonl, or standard output.",
  },
  resume: {
    kind: "flag",
    commands: MANY,
    group: "List of URLs",
    help: "Go on with a list: skip the URLs that have a result.",
  },
  "only-failed": {
    kind: "flag",
    commands: MANY,
    group: "List of URLs",
    help: "Only the URLs of the list whose result is a failure; with --resume also those without a result.",
  },
  jobs: {
    kind: "count",
    short: "j",
    value: "N",
    commands: MANY,
    group: "Politeness",
    help: "Requests at once. Default 50.",
  },
  "per-host": {
    kind: "count",
    value: "N",
    commands: MANY,
    group: "Politeness",
    help: "Requests at once to one host. Default 6; 429 and 503 halve it for a while.",
  },
  delay: {
    kind: "milliseconds",
    value: "MS",
    commands: MANY,
    group: "Politeness",
    help: "Least time between two requests to one host. Default 0; with --queue 200.",
  },
  rate: {
    kind: "rate",
    value: "N/s",
    commands: MANY,
    group: "Politeness",
    help: "Most requests over all hosts: 10/s, 600/m, 5000/h.",
  },
  robots: {
    kind: "flag",
    commands: MANY,
    group: "Politeness",
    help: "Obey robots.txt, its Crawl-delay (up to 30 s) included.",
  },
  queue: {
    kind: "text",
    value: "redis://HOST/N",
    commands: INPUT,
    group: "Queue",
    help: "Share the work of a run with other machines over Redis. Needs the packages bullmq and ioredis.",
  },
  run: {
    kind: "text",
    value: "NAME",
    commands: INPUT,
    group: "Queue",
    help: "Name of the run. Default: default.",
  },
  har: {
    kind: "text",
    value: "FILE",
    commands: ALL,
    group: "Pictures",
    help: "Write what happened as HTTP Archive 1.2, for the developer tools of browsers. Credentials are left out, bodies are not.",
  },
  "har-secrets": {
    kind: "flag",
    commands: ALL,
    group: "Pictures",
    help: "With --har: credentials and cookies are in the archive too. Only its owner can read the file.",
  },
  waterfall: {
    kind: "text",
    value: "FILE.svg",
    commands: ALL,
    group: "Pictures",
    help: "Draw what happened, a lane for each connection.",
  },
};

/** The options that a command has. */
export function optionsOf(command: Command): [OptionName, OptionSpec][] {
  const all = Object.entries(OPTIONS) as [OptionName, OptionSpec][];
  return all.filter(([, { commands }]) => commands.includes(command));
}

/** The letter of an option in a command. */
export function letterOf({ short, shortIn }: OptionSpec, command: Command): string | undefined {
  return shortIn === undefined || shortIn.includes(command) ? short : undefined;
}
