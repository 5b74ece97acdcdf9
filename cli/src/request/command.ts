/** `urlpool get`, `head`, `post`, `put`, `delete`: URLs one after the other over one manager. */

import { join } from "node:path";
import { type HTTPResponse, type PoolManager, Retry } from "urlpool";
import type { JarFile } from "../cookies.ts";
import { EXIT, UsageError } from "../failure.ts";
import { makeManager } from "../manager.ts";
import { fileNameOf } from "../names.ts";
import type { Values } from "../options/spec.ts";
import { startPictures } from "../pictures/pictures.ts";
import { type Stop, stopOnSignals } from "../signals.ts";
import { bytesText, durationText, harmless, ProgressLine, paintFor } from "../terminal.ts";
import { errorLine, exitCodeOf } from "./errors.ts";
import { followed, writeFileWhole } from "./file-output.ts";
import { bytesOf, type Outgoing, outgoing, withoutCredentials } from "./outgoing.ts";
import { type Output, printPretty, printRaw, writeOut as write } from "./screen-output.ts";
import { type Ending, facts, unknownNames, writeOut } from "./write-out.ts";

const REDIRECTS = 20;
/** The statuses that curl's `--retry` repeats. */
const TRANSIENT = [408, 429, 500, 502, 503, 504];
const BACKOFF = 1000;
const BACKOFF_MAX = 600_000;

/** Runs one of the methods; gives the exit code. */
export async function requestCommand(
  method: string,
  values: Values,
  args: readonly string[],
): Promise<number> {
  if (args.length === 0) throw new UsageError("no URL given");
  const run = new RequestCommand(values.head ? "HEAD" : method.toUpperCase(), values);
  return await run.all(args.map(absolute));
}

/** As curl, a URL without a scheme is an http one. */
export function absolute(url: string): string {
  return /^[a-z][a-z\d+.-]*:\/\//i.test(url) ? url : `http://${url}`;
}

class RequestCommand {
  readonly #method: string;
  readonly #values: Values;
  readonly #manager: PoolManager;
  readonly #progress = new ProgressLine(process.stderr);
  #stop!: Stop;
  #outgoing!: Outgoing;
  #format: string | null = null;
  #cookies: JarFile | null = null;

  constructor(method: string, values: Values) {
    this.#method = method;
    this.#values = values;
    this.#manager = makeManager(values);
  }

  /** The exit code is that of the last failure. */
  async all(urls: readonly string[]): Promise<number> {
    const path = this.#values["cookie-jar"];
    this.#cookies = path === undefined ? null : await (await import("../cookies.ts")).openJar(path);
    this.#outgoing = await outgoing(this.#method, this.#values);
    const format = this.#values["write-out"];
    this.#format = format === undefined ? null : (await bytesOf(format)).toString();
    const pictures = await startPictures(this.#values, this.#manager);
    const stopTelling = this.#values.verbose ? (await import("./verbose.ts")).tell(process.stderr) : () => {};
    this.#stop = stopOnSignals();
    let code: number = EXIT.ok;
    for (const [index, url] of urls.entries()) {
      if (this.#stop.signal.aborted) break;
      code = (await this.#one(url, index)) || code;
    }
    await this.#manager.close();
    stopTelling();
    await this.#cookies?.save();
    await pictures.write();
    return this.#stop.code ?? code;
  }

  async #one(url: string, index: number): Promise<number> {
    const begin = performance.now();
    const made = this.#manager.stats().created;
    const end: Mutable<Delivery> = { response: null, bytes: 0 };
    let problem = "";
    let exitCode: number = EXIT.ok;
    let file: string | undefined;
    try {
      file = this.#pathFor(url, index);
      await this.#fetch(url, file, end);
      if (this.#values.fail && end.response !== null) [exitCode, problem] = statusFailure(end.response);
    } catch (error) {
      [exitCode, problem] = [exitCodeOf(error), errorLine(error)];
    }
    this.#progress.clear();
    if (problem !== "") this.#complain(problem);
    const connections = this.#manager.stats().created - made;
    const ms = performance.now() - begin;
    await this.#writeOut({ ...end, url, method: this.#method, connections, ms, file, exitCode, problem });
    return exitCode;
  }

  /** Asks and delivers; `end` has what came, also if it throws. */
  async #fetch(url: string, file: string | undefined, end: Mutable<Delivery>): Promise<void> {
    using response = await this.#ask(url);
    end.response = response;
    end.bytes = await this.#deliver(response, file);
  }

  async #writeOut(ending: Ending): Promise<void> {
    if (this.#format === null) return;
    const known = facts(ending);
    for (const name of unknownNames(this.#format, known)) this.#complain(`--write-out has no %{${name}}`);
    await write(process.stdout, writeOut(this.#format, known, ending.response));
  }

  #ask(url: string): Promise<HTTPResponse> {
    const { location, retry = 0, compressed } = this.#values;
    const redirects = location ? (this.#values["max-redirs"] ?? REDIRECTS) : false;
    const { body, query } = this.#outgoing;
    const [bare, headers] = withoutCredentials(url, this.#outgoing.headers);
    return this.#manager.urlopen(this.#method, withQuery(bare, query), {
      headers,
      body,
      cookieJar: this.#cookies?.jar ?? null,
      preloadContent: false,
      decodeContent: compressed,
      redirect: location,
      retries: new Retry({
        total: null,
        connect: retry,
        read: retry,
        status: retry,
        other: retry,
        redirect: redirects,
        statusForcelist: TRANSIENT,
        backoffFactor: this.#values["retry-delay"] ?? BACKOFF,
        backoffMax: BACKOFF_MAX,
        raiseOnStatus: false,
      }),
      deadline: this.#values["max-time"],
      signal: this.#stop.signal,
      ...this.#watching(),
    });
  }

  /** The progress line: only where a file is written, and somebody looks. */
  #watching(): Parameters<PoolManager["urlopen"]>[2] {
    if (this.#values.silent || process.stderr.isTTY !== true) return {};
    if (this.#values.output.length === 0 && !this.#values["remote-name"]) return {};
    return {
      onDownloadProgress: ({ transferred, total, percent, bytesPerSecond }) => {
        this.#progress.update(() => {
          if (total === null || percent === null)
            return `${bytesText(transferred)}  ${bytesText(bytesPerSecond)}/s`;
          const rest = ((total - transferred) / Math.max(1, bytesPerSecond)) * 1000;
          const share = `${bytesText(transferred)} of ${bytesText(total)}  ${Math.round(percent * 100)} %`;
          return `${share}  ${bytesText(bytesPerSecond)}/s  ETA ${durationText(rest)}`;
        });
      },
    };
  }

  /** Head and body to where they belong; gives the bytes of the body. */
  async #deliver(response: HTTPResponse, path: string | undefined): Promise<number> {
    const isRefused = this.#values.fail && response.status >= 400;
    const withHead = this.#values.include || this.#method === "HEAD";
    if (path !== undefined && !isRefused) {
      const head = withHead ? headText(response) : "";
      const place = await followed(path);
      return (await writeFileWhole(place, headAndBody(head, response))) - Buffer.byteLength(head, "latin1");
    }
    const terminal = process.stdout.isTTY === true;
    const output: Output = process.stdout;
    if (withHead) await write(output, headText(response, terminal ? paintFor(process.stdout) : undefined));
    if (isRefused) return 0;
    if (terminal) await printPretty(response, output, paintFor(process.stdout));
    else await printRaw(response, output);
    return response.tell();
  }

  /** The file for the body; `undefined`: standard output. */
  #pathFor(url: string, index: number): string | undefined {
    const given = this.#values.output[index];
    const name = given ?? (this.#values["remote-name"] ? fileNameOf(url) : undefined);
    if (name === undefined || name === "-") return undefined;
    return join(this.#values["output-dir"] ?? "", name);
  }

  #complain(message: string): void {
    if (this.#values.silent && !this.#values["show-error"]) return;
    this.#progress.clear();
    process.stderr.write(`urlpool: ${harmless(message)}\n`);
  }
}

/** What came of a URL. */
interface Delivery {
  readonly response: HTTPResponse | null;
  readonly bytes: number;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

function statusFailure({ status, reason, url }: HTTPResponse): [exitCode: number, problem: string] {
  return status < 400 ? [EXIT.ok, ""] : [EXIT.status, `${status} ${reason}: ${url}`];
}

async function* headAndBody(head: string, response: HTTPResponse): AsyncGenerator<Uint8Array> {
  if (head !== "") yield Buffer.from(head, "latin1");
  yield* response;
}

function withQuery(url: string, query: string): string {
  if (query === "") return url;
  const [address, fragment] = url.split("#") as [string, string?];
  const joint = address.includes("?") ? "&" : "?";
  return `${address}${joint}${query}${fragment === undefined ? "" : `#${fragment}`}`;
}

/** The head as the server sent it; for people in colours. */
function headText(response: HTTPResponse, paint?: ReturnType<typeof paintFor>): string {
  const status = `${response.versionString} ${response.status} ${response.reason}`;
  const fields = response.headers.items();
  if (paint === undefined)
    return [status, ...[...fields].map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  const colour = response.status < 400 ? "green" : "red";
  const lines = [...fields].map(([name, value]) => `${paint("cyan", harmless(name))}: ${harmless(value)}`);
  return [paint(colour, harmless(status)), ...lines, "", ""].join("\n");
}
