/** The message about an attempt -> an entry of an archive. */

import type { AttemptEndMessage, Heads } from "../../index.ts";
import { cookiesSent, cookiesSet } from "./cookies.ts";
import type {
  HarContent,
  HarEntry,
  HarField,
  HarPostData,
  HarRequest,
  HarResponse,
  HarTimings,
} from "./format.ts";

/**
 * The entry of an attempt that ended at `endedAt`, in ms since the epoch; bodies come later. `secrets`: the heads with
 * their credentials, if these are to be shown.
 */
export function entryOf(message: AttemptEndMessage, endedAt: number, secrets: Heads | null): HarEntry {
  const timings = timingsOf(message.phases);
  const { blocked, dns, connect, send, wait, receive } = timings;
  const time = [blocked, dns, connect, send, wait, receive].reduce((sum, part) => sum + Math.max(0, part), 0);
  return {
    startedDateTime: new Date(endedAt - time).toISOString(),
    time,
    request: requestOf(message, secrets),
    response: responseOf(message, secrets),
    cache: {},
    timings,
    ...(message.address === null ? {} : { serverIPAddress: message.address }),
    ...connectionOf(message),
    _resourceType: "fetch",
    ...(message.attempt > 1 ? { comment: `try ${message.attempt} of request ${message.request}` } : {}),
  };
}

/** As browsers have it: the port under the standard's name, the number under one of their own. */
function connectionOf({
  connection,
  route,
}: AttemptEndMessage): Pick<HarEntry, "connection" | "_connectionId"> {
  if (connection === null) return {};
  const [port] = /\d+$/.exec(route ?? "") ?? [];
  return { ...(port === undefined ? {} : { connection: port }), _connectionId: String(connection) };
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

function requestOf(message: AttemptEndMessage, secrets: Heads | null): HarRequest {
  const { method, url, protocol, requestHead, requestHeadBytes, requestBytes } = message;
  const headers = fieldsOf(secrets?.requestHead ?? requestHead);
  return {
    method,
    url,
    httpVersion: versionOf(protocol),
    cookies: secrets === null ? [] : cookiesSent(headers),
    headers,
    queryString: queryOf(url),
    headersSize: requestHead === null ? -1 : requestHeadBytes,
    bodySize: requestBytes - requestHeadBytes,
  };
}

function responseOf(message: AttemptEndMessage, secrets: Heads | null): HarResponse {
  const { url, protocol, status, responseHead, responseHeadBytes, bytes, error } = message;
  const headers = fieldsOf(secrets?.responseHead ?? responseHead);
  const field = (name: string): string | undefined =>
    headers.find((one) => one.name.toLowerCase() === name)?.value;
  const location = field("location");
  return {
    status: status ?? 0,
    statusText: /^HTTP\/\S+ \d+ ?([^\r\n]*)/.exec(responseHead ?? "")?.[1] ?? "",
    httpVersion: versionOf(protocol),
    cookies: secrets === null ? [] : cookiesSet(headers),
    headers,
    content: { size: 0, mimeType: field("content-type") ?? "x-unknown" },
    redirectURL: location !== undefined && URL.canParse(location, url) ? new URL(location, url).href : "",
    headersSize: responseHead === null ? -1 : responseHeadBytes,
    bodySize: responseHead === null ? -1 : bytes,
    _transferSize: responseHeadBytes + bytes,
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
