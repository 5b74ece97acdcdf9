/** `urlpool get`, `head`, `post`, `put`, `delete`: URLs one after the other over one manager. */

import { join } from "node:path";
import { type HTTPResponse, type PoolManager, Retry } from "urlpool";
import type { JarFile } from "../cookies.ts";
import { EXIT, Failure, UsageError } from "../failure.ts";
import { makeManager } from "../manager.ts";
import { fileNameOf } from "../names.ts";
import type { Values } from "../options/spec.ts";
import { startPictures } from "../pictures/pictures.ts";
import { bytesText, durationText, harmless, ProgressLine, paintFor } from "../terminal.ts";
import { errorLine, exitCodeOf } from "./errors.ts";
import { writeFileWhole } from "./file-output.ts";
import { type Outgoing, outgoing } from "./outgoing.ts";
import { type Output, printPretty, printRaw, writeOut as write } from "./screen-output.ts";
import { facts, writeOut } from "./write-out.ts";

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
  readonly #interrupted = new AbortController();
  #outgoing!: Outgoing;
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
    const pictures = await startPictures(this.#values, this.#manager);
    const stopTelling = this.#values.verbose ? (await import("./verbose.ts")).tell(process.stderr) : () => {};
    const stop = (): void => this.#interrupted.abort(new Failure("interrupted", EXIT.interrupted));
    process.once("SIGINT", stop);
    let code: number = EXIT.ok;
    for (const [index, url] of urls.entries()) {
      if (this.#interrupted.signal.aborted) break;
      code = (await this.#one(url, index)) || code;
    }
    process.removeListener("SIGINT", stop);
    await this.#manager.close();
    stopTelling();
    await this.#cookies?.save();
    await pictures.write();
    return code;
  }

  async #one(url: string, index: number): Promise<number> {
    try {
      const made = this.#manager.stats().created;
      using response = await this.#ask(url);
      const bytes = await this.#deliver(response, url, index);
      if (this.#values["write-out"] !== undefined) {
        const known = facts(response, { bytes, connections: this.#manager.stats().created - made });
        await write(process.stdout, writeOut(this.#values["write-out"], known, response));
      }
      return this.#values.fail ? this.#statusCode(response) : EXIT.ok;
    } catch (error) {
      this.#complain(errorLine(error));
      return exitCodeOf(error);
    } finally {
      this.#progress.clear();
    }
  }

  #ask(url: string): Promise<HTTPResponse> {
    const { location, retry = 0, compressed } = this.#values;
    const redirects = location ? (this.#values["max-redirs"] ?? REDIRECTS) : false;
    const { headers, body, query } = this.#outgoing;
    return this.#manager.urlopen(this.#method, withQuery(url, query), {
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
      signal: this.#interrupted.signal,
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
  async #deliver(response: HTTPResponse, url: string, index: number): Promise<number> {
    const path = this.#pathFor(url, index);
    const terminal = process.stdout.isTTY === true && path === undefined;
    const output: Output = process.stdout;
    if (this.#values.include || this.#method === "HEAD") {
      await write(output, headText(response, terminal ? paintFor(process.stdout) : undefined));
    }
    if (this.#values.fail && response.status >= 400) return 0;
    if (path !== undefined) return await writeFileWhole(path, response);
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

  #statusCode({ status, reason, url }: HTTPResponse): number {
    if (status < 400) return EXIT.ok;
    this.#complain(`${status} ${reason}: ${url}`);
    return EXIT.status;
  }

  #complain(message: string): void {
    if (this.#values.silent && !this.#values["show-error"]) return;
    this.#progress.clear();
    process.stderr.write(`urlpool: ${harmless(message)}\n`);
  }
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
