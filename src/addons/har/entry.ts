/** The message about an attempt -> an entry of an archive. */

import type { AttemptEndMessage } from "../../index.ts";
import type {
  HarContent,
  HarEntry,
  HarField,
  HarPostData,
  HarRequest,
  HarResponse,
  HarTimings,
} from "./format.ts";

/** The entry of an attempt that ended at `endedAt`, in ms since the epoch; bodies come later. */
export function entryOf(message: AttemptEndMessage, endedAt: number): HarEntry {
  const timings = timingsOf(message.phases);
  const { blocked, dns, connect, send, wait, receive } = timings;
  const time = [blocked, dns, connect, send, wait, receive].reduce((sum, part) => sum + Math.max(0, part), 0);
  return {
    startedDateTime: new Date(endedAt - time).toISOString(),
    time,
    request: requestOf(message),
    response: responseOf(message),
    cache: {},
    timings,
    ...(message.address === null ? {} : { serverIPAddress: message.address }),
    ...(message.connection === null ? {} : { connection: String(message.connection) }),
    _resourceType: "fetch",
    ...(message.attempt > 1 ? { comment: `try ${message.attempt} of request ${message.request}` } : {}),
  };
}

function timingsOf({
  queued,
  dns,
  connect,
  tls,
  send,
  wait,
  receive,
}: AttemptEndMessage["phases"]): HarTimings {
  return {
    blocked: queued,
    dns: dns ?? -1,
    connect: connect === null ? -1 : connect + (tls ?? 0),
    ssl: tls ?? -1,
    // These three have to be there.
    send: send ?? 0,
    wait: wait ?? 0,
    receive: receive ?? 0,
  };
}

function requestOf({ method, url, protocol, requestHead, requestBytes }: AttemptEndMessage): HarRequest {
  const headers = fieldsOf(requestHead);
  const headersSize = requestHead === null ? -1 : requestHead.length;
  return {
    method,
    url,
    httpVersion: versionOf(protocol),
    cookies: cookiesOf(headers, "cookie"),
    headers,
    queryString: queryOf(url),
    headersSize,
    bodySize: requestHead === null ? 0 : requestBytes - headersSize,
  };
}

function responseOf({ url, protocol, status, responseHead, bytes, error }: AttemptEndMessage): HarResponse {
  const headers = fieldsOf(responseHead);
  const field = (name: string): string | undefined =>
    headers.find((one) => one.name.toLowerCase() === name)?.value;
  const location = field("location");
  const headersSize = responseHead === null ? -1 : responseHead.length;
  return {
    status: status ?? 0,
    statusText: /^HTTP\/\S+ \d+ ?([^\r\n]*)/.exec(responseHead ?? "")?.[1] ?? "",
    httpVersion: versionOf(protocol),
    cookies: cookiesOf(headers, "set-cookie"),
    headers,
    content: { size: 0, mimeType: field("content-type") ?? "x-unknown" },
    redirectURL: location !== undefined && URL.canParse(location, url) ? new URL(location, url).href : "",
    headersSize,
    bodySize: responseHead === null ? -1 : bytes,
    _transferSize: Math.max(0, headersSize) + bytes,
    ...(error === null || error === undefined ? {} : { _error: String(error) }),
  };
}

function versionOf(protocol: AttemptEndMessage["protocol"]): string {
  return protocol === "h2" ? "HTTP/2" : "HTTP/1.1";
}

/** The fields of a head as HTTP/1 writes it. */
function fieldsOf(head: string | null): HarField[] {
  return (head ?? "")
    .split("\r\n")
    .slice(1)
    .flatMap((line) => {
      const colon = line.indexOf(":");
      return colon <= 0 ? [] : [{ name: line.slice(0, colon), value: line.slice(colon + 1).trim() }];
    });
}

/** The names only: what they hold is not shown. */
function cookiesOf(headers: readonly HarField[], name: string): HarField[] {
  return headers
    .filter((field) => field.name.toLowerCase() === name)
    .flatMap(({ value }) => (name === "cookie" ? value.split(";") : [value.split(";")[0]!]))
    .map((pair) => ({ name: pair.split("=")[0]!.trim(), value: REDACTED }))
    .filter(({ name: cookie }) => cookie !== REDACTED && cookie !== "");
}

const REDACTED = "***";

function queryOf(url: string): HarField[] {
  return URL.canParse(url) ? [...new URL(url).searchParams].map(([name, value]) => ({ name, value })) : [];
}

/** A body that came, with its text if it is within `limit` bytes. */
export function contentOf(body: Buffer, mimeType: string, limit: number): HarContent {
  const { length: size } = body;
  if (size > limit) return { size, mimeType, comment: `larger than ${limit} bytes` };
  const text = textOf(body);
  return text === null
    ? { size, mimeType, text: body.toString("base64"), encoding: "base64" }
    : { size, mimeType, text };
}

/** A body that was sent; `null` for what is no text, or cannot be read a second time. */
export function postDataOf(body: unknown, mimeType: string, limit: number): HarPostData | null {
  const bytes =
    typeof body === "string" || body instanceof URLSearchParams
      ? Buffer.from(String(body))
      : body instanceof Uint8Array
        ? Buffer.from(body)
        : null;
  if (bytes === null) return null;
  if (bytes.length > limit) return { mimeType, text: "", params: [], comment: `larger than ${limit} bytes` };
  const text = textOf(bytes);
  return text === null ? null : { mimeType, text, params: [] };
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
