/** The format of `-w`, with curl's names. */

import type { HTTPResponse } from "urlpool";

/** What became of a URL. */
export interface Ending {
  readonly url: string;
  readonly method: string;
  /** `null` where no answer came. */
  readonly response: HTTPResponse | null;
  /** Of the body. */
  readonly bytes: number;
  /** Made for it. */
  readonly connections: number;
  /** ms since it was begun. */
  readonly ms: number;
  /** The file of the body. */
  readonly file: string | undefined;
  readonly exitCode: number;
  /** What went wrong; empty if nothing did. */
  readonly problem: string;
}

/** A fact by its name in `-w`. */
export type Facts = Readonly<Record<string, string | number>>;

/** What `-w` can name. Times are in seconds and count from the start, as curl's do. */
export function facts(ending: Ending): Facts {
  const { response, url } = ending;
  const history = response?.retries?.history ?? [];
  const code = response?.status ?? "000";
  return {
    http_code: code,
    response_code: code,
    http_version: response?.versionString.replace("HTTP/", "") ?? "0",
    method: ending.method,
    url,
    url_effective: response?.url ?? url,
    scheme: /^\w+(?=:)/.exec(response?.url ?? url)?.[0].toLowerCase() ?? "",
    remote_ip: response?.connection?.address ?? "",
    content_type: response?.headers.get("content-type") ?? "",
    num_headers: response === null ? 0 : [...response.headers.items()].length,
    num_redirects: history.filter(({ redirectLocation }) => redirectLocation !== null).length,
    num_retries: history.filter(({ redirectLocation }) => redirectLocation === null).length,
    num_connects: ending.connections,
    redirect_url: response?.redirectLocation() || "",
    filename_effective: ending.file ?? "",
    size_download: ending.bytes,
    exitcode: ending.exitCode,
    errormsg: ending.problem,
    ...times(ending),
  };
}

function times({ response, bytes, ms }: Ending): Facts {
  const timings = response?.timings;
  const total = timings?.bodyEnd ?? ms;
  const { queued = 0, sent = 0, firstByte = 0, dns = null, connect = null, tls = null } = timings ?? {};
  // `queued` ends with the connection: what came before is found from its end.
  const connected = queued - (tls ?? 0);
  return {
    speed_download: Math.round(bytes / Math.max(0.001, total / 1000)),
    time_namelookup: dns === null ? 0 : seconds(connected - (connect ?? 0)),
    time_connect: connect === null ? 0 : seconds(connected),
    time_appconnect: tls === null ? 0 : seconds(queued),
    time_pretransfer: seconds(sent),
    time_starttransfer: seconds(firstByte),
    time_total: seconds(total),
  };
}

function seconds(ms: number): number {
  return Number((ms / 1000).toFixed(6));
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\" };
const PARTS = /%header\{([^}]+)\}|%\{(\w+)\}|%%|\\([nrt\\])/g;

/** The names in a format that mean nothing. */
export function unknownNames(format: string, known: Facts): string[] {
  const names = [...format.matchAll(PARTS)].flatMap(([, , name]) => (name === undefined ? [] : [name]));
  return names.filter((name) => name !== "json" && !Object.hasOwn(known, name));
}

/** `%{name}` replaced by its fact, `%{json}` by all of them, `%header{name}` by a field of the answer, `%%`, `\n`, `\t`. */
export function writeOut(format: string, known: Facts, response: HTTPResponse | null): string {
  return format.replace(PARTS, (whole, field, name, letter) => {
    if (whole === "%%") return "%";
    if (letter !== undefined) return ESCAPES[letter] as string;
    if (field !== undefined) return response?.headers.get(field) ?? "";
    return name === "json" ? JSON.stringify(known) : String(known[name] ?? "");
  });
}
