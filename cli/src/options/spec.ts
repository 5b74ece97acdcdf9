/** The words of the table of options: commands, kinds of options, and the values they give. */

/** Commands that make requests one after the other, by their method. */
export const METHODS = ["get", "head", "post", "put", "delete"] as const;

/** Every command. */
export const COMMANDS = ["get", "head", "post", "put", "delete", "fetch-all", "queue"] as const;

/** The name of a command. */
export type Command = (typeof COMMANDS)[number];

/** How the text of an option is read. */
export type Kind =
  | "flag" // no value
  | "text"
  | "list" // texts; the option may be repeated
  | "count" // a whole number from 0
  | "seconds" // a decimal number of seconds, kept in ms
  | "limit" // the same; 0 is no limit, as in curl
  | "milliseconds"
  | "rate"; // 10, 10/s, 600/m, 5000/h; kept in requests a second

/** One option. */
export interface OptionSpec {
  readonly kind: Kind;
  /** Its letter. */
  readonly short?: string;
  /** The commands in which it has its letter. Default: all of its commands. */
  readonly shortIn?: readonly Command[];
  /** What stands for its value in `--help`. */
  readonly value?: string;
  readonly commands: readonly Command[];
  /** Heading in `--help`. */
  readonly group: "Request" | "Connection" | "Answer" | "List of URLs" | "Politeness" | "Queue" | "Pictures";
  readonly help: string;
}

/** What `--data` or `--data-raw` gave. */
export interface DataPart {
  readonly option: "data" | "data-raw";
  readonly text: string;
}

/** The values of all options; those not given are `false`, `undefined` or empty. */
export interface Values extends OptionValues {
  /** `--data` and `--data-raw` in the order of the command line. */
  readonly parts: readonly DataPart[];
}

/** The values by the names of their options. */
export interface OptionValues {
  header: string[];
  "user-agent": string | undefined;
  user: string | undefined;
  data: string[];
  "data-raw": string[];
  "data-binary": string[];
  form: string[];
  json: string[];
  "cookie-jar": string | undefined;
  compressed: boolean;
  http2: boolean;
  proxy: string | undefined;
  noproxy: string | undefined;
  location: boolean;
  "max-redirs": number | undefined;
  insecure: boolean;
  cacert: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  "max-time": number | undefined;
  "connect-timeout": number | undefined;
  retry: number | undefined;
  "retry-delay": number | undefined;
  resolve: string[];
  "unix-socket": string | undefined;
  ipv4: boolean;
  ipv6: boolean;
  output: string[];
  "remote-name": boolean;
  "output-dir": string | undefined;
  verbose: boolean;
  silent: boolean;
  "show-error": boolean;
  include: boolean;
  head: boolean;
  "write-out": string | undefined;
  fail: boolean;
  input: string | undefined;
  results: string | undefined;
  resume: boolean;
  "only-failed": boolean;
  jobs: number | undefined;
  "per-host": number | undefined;
  delay: number | undefined;
  rate: number | undefined;
  robots: boolean;
  queue: string | undefined;
  run: string | undefined;
  har: string | undefined;
  "har-secrets": boolean;
  waterfall: string | undefined;
}

/** The name of an option. */
export type OptionName = keyof OptionValues;
