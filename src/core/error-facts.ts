/** What errors carry: their codes, and the facts of what was being done. */

/** The codes of all errors, each of one class. */
export type ErrorCode =
  | "ERR_URLPOOL_HTTP"
  | "ERR_URLPOOL_INVALID_ARGUMENT"
  | "ERR_URLPOOL_POOL"
  | "ERR_URLPOOL_EMPTY_POOL"
  | "ERR_URLPOOL_FULL_POOL"
  | "ERR_URLPOOL_CLOSED_POOL"
  | "ERR_URLPOOL_REQUEST"
  | "ERR_URLPOOL_MAX_RETRY"
  | "ERR_URLPOOL_HOST_CHANGED"
  | "ERR_URLPOOL_TIMEOUT"
  | "ERR_URLPOOL_READ_TIMEOUT"
  | "ERR_URLPOOL_DEADLINE"
  | "ERR_URLPOOL_CONNECT_TIMEOUT"
  | "ERR_URLPOOL_NEW_CONNECTION"
  | "ERR_URLPOOL_NAME_RESOLUTION"
  | "ERR_URLPOOL_ADDRESS_BLOCKED"
  | "ERR_URLPOOL_SSL"
  | "ERR_URLPOOL_PROXY"
  | "ERR_URLPOOL_MISSING_DEPENDENCY"
  | "ERR_URLPOOL_PROTOCOL"
  | "ERR_URLPOOL_RESPONSE_NOT_CHUNKED"
  | "ERR_URLPOOL_INCOMPLETE_READ"
  | "ERR_URLPOOL_INVALID_CHUNK_LENGTH"
  | "ERR_URLPOOL_DECODE"
  | "ERR_URLPOOL_BUFFER_TOO_SMALL"
  | "ERR_URLPOOL_RESPONSE"
  | "ERR_URLPOOL_INVALID_HEADER"
  | "ERR_URLPOOL_UNREWINDABLE_BODY"
  | "ERR_URLPOOL_REQUEST_BODY"
  | "ERR_URLPOOL_BODY_USED"
  | "ERR_URLPOOL_TIMEOUT_STATE"
  | "ERR_URLPOOL_LOCATION_VALUE"
  | "ERR_URLPOOL_LOCATION_PARSE"
  | "ERR_URLPOOL_URL_SCHEME_UNKNOWN"
  | "ERR_URLPOOL_PROXY_SCHEME_UNKNOWN";

/** Where in the life of a request something happened. */
export type Phase =
  | "request" // checking and encoding what the caller gave
  | "pool" // waiting for a connection
  | "dns"
  | "connect"
  | "proxy" // CONNECT or SOCKS
  | "tls"
  | "write"
  | "head" // waiting for the response, or in its head
  | "body"
  | "decode"
  | "redirect"
  | "backoff";

/** The facts an error carries; all optional, because each floor knows only its own. */
export interface ErrorFacts {
  /** Request method. */
  method?: string | undefined;
  /** Absolute request URL without credentials. */
  url?: string | undefined;
  phase?: Phase | undefined;
  /** 1 for the first try. */
  attempt?: number | undefined;
  /** Whether the connection had served a request before. */
  reused?: boolean | undefined;
  /** Bytes of this request handed to the socket. */
  bytesWritten?: number | undefined;
  /** Whether a byte of the response had arrived. */
  responseStarted?: boolean | undefined;
  /** First hop, such as `127.0.0.1:3128` or `/run/app.sock`. */
  route?: string | undefined;
  /** Error code of HTTP/2 (RFC 9113 §7), where there was one. */
  h2Code?: number | undefined;
  /** `false` where the server has certainly not processed the request: any method may go again. */
  processed?: boolean | undefined;
}

/** The answer that an error is about: an `HTTPResponse`. */
export interface ErrorResponse {
  readonly status: number;
  readonly reason: string;
  /** URL of the last hop. */
  readonly url: string;
  readonly headers: {
    get(name: string): string | null;
    getList(name: string): string[];
    has(name: string): boolean;
  };
  /** The body as far as it was read. */
  readonly data: Buffer;
  text(): Promise<string>;
  json<T = unknown>(): Promise<T>;
}

/** Options of every error's constructor. */
export interface HTTPErrorOptions extends ErrorFacts {
  cause?: unknown;
}

/** The names of the facts. */
export const FACTS: readonly (keyof ErrorFacts)[] = [
  "method",
  "url",
  "phase",
  "attempt",
  "reused",
  "bytesWritten",
  "responseStarted",
  "route",
  "h2Code",
  "processed",
];
