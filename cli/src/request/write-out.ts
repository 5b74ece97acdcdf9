/** The format of `-w`, with curl's names. */

import type { HTTPResponse } from "urlpool";

/** What `-w` can name. Times are in seconds and count from the start, as curl's do. */
export function facts(
  response: HTTPResponse,
  more: { bytes: number; connections: number },
): Record<string, string | number> {
  const timings = response.timings!;
  const history = response.retries?.history ?? [];
  const seconds = (ms: number): number => Number((ms / 1000).toFixed(6));
  const { dns, connect, tls } = timings;
  // `queued` ends with the connection: what came before is found from its end.
  const connected = timings.queued - (tls ?? 0);
  return {
    http_code: response.status,
    response_code: response.status,
    http_version: response.versionString.replace("HTTP/", ""),
    method: response.method ?? "",
    url_effective: response.url ?? "",
    content_type: response.headers.get("content-type") ?? "",
    num_redirects: history.filter(({ redirectLocation }) => redirectLocation !== null).length,
    num_retries: history.filter(({ redirectLocation }) => redirectLocation === null).length,
    num_connects: more.connections,
    redirect_url: response.redirectLocation() || "",
    size_download: more.bytes,
    speed_download: Math.round(more.bytes / Math.max(0.001, (timings.bodyEnd ?? timings.firstByte) / 1000)),
    time_namelookup: dns === null ? 0 : seconds(connected - (connect ?? 0)),
    time_connect: connect === null ? 0 : seconds(connected),
    time_appconnect: tls === null ? 0 : seconds(timings.queued),
    time_pretransfer: seconds(timings.sent),
    time_starttransfer: seconds(timings.firstByte),
    time_total: seconds(timings.bodyEnd ?? timings.firstByte),
  };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\" };

/** `%{name}` replaced by its fact, `%{json}` by all of them, `%header{name}` by a field of the answer, `%%`, `\n`, `\t`. */
export function writeOut(
  format: string,
  known: Record<string, string | number>,
  response: HTTPResponse,
): string {
  return format.replace(/%header\{([^}]+)\}|%\{([\w]+)\}|%%|\\([nrt\\])/g, (whole, field, name, letter) => {
    if (whole === "%%") return "%";
    if (letter !== undefined) return ESCAPES[letter] as string;
    if (field !== undefined) return response.headers.get(field) ?? "";
    return name === "json" ? JSON.stringify(known) : String(known[name] ?? "");
  });
}
