/**
 * The errors: urllib3's hierarchy and names, each with a stable `code` and the facts of what was being done.
 *
 * The floors below `client/` throw them without knowing the request; `request-run.ts` adds method, URL and attempt
 * with {@link HTTPError.describe}. Credentials are removed from every text.
 */

import {
  type ErrorCode,
  type ErrorFacts,
  type ErrorResponse,
  FACTS,
  type HTTPErrorOptions,
  type Phase,
} from "./error-facts.ts";
import { redact } from "./redact.ts";

export type { ErrorCode, ErrorFacts, ErrorResponse, HTTPErrorOptions, Phase } from "./error-facts.ts";

/** Root of all errors of this library (urllib3's `HTTPError`). */
export class HTTPError extends Error {
  /** Stable, unique per class: `ERR_URLPOOL_*`. */
  readonly code: ErrorCode = "ERR_URLPOOL_HTTP";
  declare method?: string | undefined;
  declare url?: string | undefined;
  declare phase?: Phase | undefined;
  declare attempt?: number | undefined;
  declare reused?: boolean | undefined;
  declare bytesWritten?: number | undefined;
  declare responseStarted?: boolean | undefined;
  declare route?: string | undefined;
  declare h2Code?: number | undefined;
  declare processed?: boolean | undefined;

  constructor(message: string, options: HTTPErrorOptions = {}) {
    super(redact(message), "cause" in options ? { cause: options.cause } : undefined);
    Object.defineProperty(this, "name", { value: new.target.name, configurable: true, writable: true });
    this.#take(options);
  }

  /**
   * Adds what the floor above knows, and puts `METHOD URL` in front of the message once.
   * Facts that are already there stay.
   */
  describe(facts: ErrorFacts): this {
    const first = this.method === undefined && facts.method !== undefined;
    this.#take(facts);
    if (first) this.#reword(`${this.method} ${this.url ?? ""}: ${this.message}`);
    return this;
  }

  /** A plain object without credentials, safe to log; the cause in the same form. */
  toJSON(): Record<string, unknown> {
    const json: Record<string, unknown> = { name: this.name, code: this.code, message: this.message };
    for (const fact of FACTS) if (this[fact] !== undefined) json[fact] = this[fact];
    Object.assign(json, this.ownFacts());
    if (this.cause !== undefined) json.cause = causeToJSON(this.cause);
    return json;
  }

  /** What this class knows besides, for `toJSON`; `undefined` is left out. */
  protected ownFacts(): Record<string, string | number | undefined> {
    return {};
  }

  #take(facts: ErrorFacts): void {
    for (const fact of FACTS) {
      const value = facts[fact];
      if (value === undefined || this[fact] !== undefined) continue;
      (this as Record<string, unknown>)[fact] = fact === "url" ? redact(value as string) : value;
    }
  }

  #reword(message: string): void {
    // V8 writes the message into `stack` when the error is made: keep the two alike.
    const stack = this.stack?.replace(this.message, () => message);
    this.message = message;
    if (stack !== undefined)
      Object.defineProperty(this, "stack", { value: stack, configurable: true, writable: true });
  }
}

/** A property that neither `console.log` nor `JSON.stringify` shows. */
function hide(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, enumerable: false, configurable: true, writable: true });
}

function causeToJSON(cause: unknown): unknown {
  if (cause instanceof HTTPError) return cause.toJSON();
  if (!(cause instanceof Error)) return redact(String(cause));
  const json: Record<string, unknown> = { name: cause.name, message: redact(cause.message) };
  const code = (cause as NodeJS.ErrnoException).code;
  if (code !== undefined) json.code = code;
  if (cause instanceof AggregateError) json.errors = cause.errors.map(causeToJSON);
  return json;
}

/** A value given by the caller cannot be used (where urllib3 raises `ValueError` or `TypeError`). */
export class InvalidArgumentError extends TypeError {
  readonly code: ErrorCode = "ERR_URLPOOL_INVALID_ARGUMENT";
  override readonly name: string = "InvalidArgumentError";

  /** As `HTTPError`'s. */
  toJSON(): Record<string, unknown> {
    return { name: this.name, code: this.code, message: redact(this.message) };
  }
}

/** Something about a pool. */
export class PoolError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_POOL";
}

/** No connection became free within `poolTimeout`. */
export class EmptyPoolError extends PoolError {
  override readonly code: ErrorCode = "ERR_URLPOOL_EMPTY_POOL";
}

/** A connection came back to a bounded pool that has no room for it. */
export class FullPoolError extends PoolError {
  override readonly code: ErrorCode = "ERR_URLPOOL_FULL_POOL";
}

/** The pool was closed before or while the request waited for a connection. */
export class ClosedPoolError extends PoolError {
  override readonly code: ErrorCode = "ERR_URLPOOL_CLOSED_POOL";
}

/** A pool error about one request. */
export class RequestError extends PoolError {
  override readonly code: ErrorCode = "ERR_URLPOOL_REQUEST";
}

/** The retries allowed by `Retry` are used up; `reason` (and `cause`) is the last failure. */
export class MaxRetryError extends RequestError {
  override readonly code: ErrorCode = "ERR_URLPOOL_MAX_RETRY";
  /** The last failure; the same as `cause`, and not enumerable, so that it is printed once. */
  declare readonly reason: Error | undefined;

  constructor(message: string, options: HTTPErrorOptions & { reason?: Error | undefined } = {}) {
    super(message, options.reason === undefined ? options : { ...options, cause: options.reason });
    hide(this, "reason", options.reason);
  }

  /** The last answer, where `reason` is about one: its body has been read. */
  get response(): ErrorResponse | undefined {
    return this.reason instanceof ResponseError ? this.reason.response : undefined;
  }
}

/** A pool was asked for another host than its own. */
export class HostChangedError extends RequestError {
  override readonly code: ErrorCode = "ERR_URLPOOL_HOST_CHANGED";
}

const timeouts = new WeakSet<object>();

/** Time ran out: {@link ConnectTimeoutError} or {@link ReadTimeoutError}. */
export class TimeoutError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_TIMEOUT";

  /** `ReadTimeoutError` is both a `RequestError` and a `TimeoutError`, as in urllib3. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    // Subclasses inherit this test and must not match every timeout.
    return this === TimeoutError && typeof value === "object" && value !== null && timeouts.has(value);
  }
}

/** The response, or the next part of it, did not come within the read timeout. */
export class ReadTimeoutError extends RequestError {
  override readonly code: ErrorCode = "ERR_URLPOOL_READ_TIMEOUT";

  constructor(message: string, options: HTTPErrorOptions = {}) {
    super(message, options);
    timeouts.add(this);
  }
}

/** The request as a whole did not end within its `deadline`. */
export class DeadlineError extends TimeoutError {
  override readonly code: ErrorCode = "ERR_URLPOOL_DEADLINE";
}

/** No connection stood within the connect timeout. */
export class ConnectTimeoutError extends TimeoutError {
  override readonly code: ErrorCode = "ERR_URLPOOL_CONNECT_TIMEOUT";
}

/** The connection could not be made: refused, unreachable, no such socket. */
export class NewConnectionError extends ConnectTimeoutError {
  override readonly code: ErrorCode = "ERR_URLPOOL_NEW_CONNECTION";
}

/** The host name could not be resolved. */
export class NameResolutionError extends NewConnectionError {
  override readonly code: ErrorCode = "ERR_URLPOOL_NAME_RESOLUTION";
}

/** `addressFilter` refused every address of the host. */
export class AddressBlockedError extends NewConnectionError {
  override readonly code: ErrorCode = "ERR_URLPOOL_ADDRESS_BLOCKED";
}

/** TLS failed: handshake, certificate, host name or fingerprint. */
export class SSLError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_SSL";
  /** Whether another try would fail the same way: the certificate, a setting, the TLS version or the port is wrong. */
  readonly deterministic: boolean;

  constructor(message: string, options: HTTPErrorOptions & { deterministic?: boolean | undefined } = {}) {
    super(message, options);
    this.deterministic = options.deterministic ?? false;
  }
}

/** The proxy could not be reached, or refused; `cause` says what came. */
export class ProxyError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_PROXY";
  /** Status of the proxy's answer to CONNECT, if one came. */
  readonly status: number | undefined;

  constructor(message: string, options: HTTPErrorOptions & { status?: number | undefined } = {}) {
    super(message, options);
    this.status = options.status;
  }

  protected override ownFacts(): Record<string, number | undefined> {
    return { status: this.status };
  }
}

/** A package that the request needs, and that is installed on demand, is not there. */
export class MissingDependencyError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_MISSING_DEPENDENCY";
}

/** The connection broke, or the peer broke the protocol. */
export class ProtocolError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_PROTOCOL";
}

/** The response has no chunked body. */
export class ResponseNotChunked extends ProtocolError {
  override readonly code: ErrorCode = "ERR_URLPOOL_RESPONSE_NOT_CHUNKED";
}

/** The body ended before its declared length. */
export class IncompleteRead extends ProtocolError {
  override readonly code: ErrorCode = "ERR_URLPOOL_INCOMPLETE_READ";
  /** Bytes of the body that came. */
  readonly partial: number;
  /** Bytes that were still to come; `undefined` where no length was declared. */
  readonly expected: number | undefined;

  constructor(partial: number, expected: number | undefined, options: HTTPErrorOptions = {}) {
    const more = expected === undefined ? "" : `, ${expected} more expected`;
    super(`Connection broken: IncompleteRead(${partial} bytes read${more})`, { phase: "body", ...options });
    this.partial = partial;
    this.expected = expected;
  }

  protected override ownFacts(): Record<string, number | undefined> {
    return { partial: this.partial, expected: this.expected };
  }
}

/** A chunk-size line is not bare hexadecimal (RFC 9112 §7.1). */
export class InvalidChunkLength extends ProtocolError {
  override readonly code: ErrorCode = "ERR_URLPOOL_INVALID_CHUNK_LENGTH";
  /** The line as far as it was read. */
  readonly length: string;
  /** Bytes of the body that came before it. */
  readonly partial: number;

  constructor(length: string, partial: number, options: HTTPErrorOptions = {}) {
    const got = `got length ${JSON.stringify(length)}, ${partial} bytes read`;
    super(`Connection broken: InvalidChunkLength(${got})`, { phase: "body", ...options });
    this.length = length;
    this.partial = partial;
  }

  protected override ownFacts(): Record<string, string | number | undefined> {
    return { length: this.length, partial: this.partial };
  }
}

/** The body does not decode as its Content-Encoding says, or decodes to more than `maxDecodedSize`. */
export class DecodeError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_DECODE";
}

/** The body does not fit into the memory that the caller gave as `into`. */
export class BufferTooSmallError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_BUFFER_TOO_SMALL";
  /** Bytes of that memory. */
  readonly room: number;
  /** Bytes of the body; `undefined` where they were not known when it was given up. */
  readonly length: number | undefined;

  constructor(room: number, length: number | undefined, options: HTTPErrorOptions = {}) {
    const body = length === undefined ? "The body" : `The body of ${length} bytes`;
    const advice = "Give more, or set intoGrows: true";
    super(`${body} does not fit into the ${room} bytes given as \`into\`. ${advice}`, {
      phase: "body",
      ...options,
    });
    this.room = room;
    this.length = length;
  }

  protected override ownFacts(): Record<string, number | undefined> {
    return { room: this.room, length: this.length };
  }
}

/** An answer counts as a failure: too many redirects, too many error statuses, `raiseForStatus()`. */
export class ResponseError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_RESPONSE";
  /** Status of the answer, if there was one. */
  readonly status: number | undefined;
  /** The answer, where the error came of one; not enumerable. */
  declare readonly response: ErrorResponse | undefined;

  constructor(
    message: string,
    options: HTTPErrorOptions & {
      status?: number | undefined;
      response?: ErrorResponse | undefined;
    } = {},
  ) {
    super(message, options);
    this.status = options.status;
    hide(this, "response", options.response);
  }

  /** @internal The answer has come to hand later than the error. */
  about(response: ErrorResponse): this {
    hide(this, "response", response);
    return this;
  }

  protected override ownFacts(): Record<string, number | undefined> {
    return { status: this.status };
  }
}

/** A header name or value that must not go on the wire, or that cannot be understood. */
export class InvalidHeader extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_INVALID_HEADER";
}

/** The request body cannot be sent a second time for a retry or a redirect. */
export class UnrewindableBodyError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_UNREWINDABLE_BODY";
}

/** The source of the request body failed, or gave more or less than it declared. */
export class RequestBodyError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_REQUEST_BODY";
}

/** The body was read already, or is being read in another way. */
export class BodyUsedError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_BODY_USED";
}

/** A `Timeout`'s clock was started twice, or read before its start. */
export class TimeoutStateError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_TIMEOUT_STATE";
}

/** A URL lacks a part that is needed. */
export class LocationValueError extends HTTPError {
  override readonly code: ErrorCode = "ERR_URLPOOL_LOCATION_VALUE";
}

/** A URL or host that cannot be parsed. */
export class LocationParseError extends LocationValueError {
  override readonly code: ErrorCode = "ERR_URLPOOL_LOCATION_PARSE";
  /** What could not be parsed, without credentials. */
  readonly location: string;

  constructor(location: string, options: HTTPErrorOptions = {}) {
    super(`Failed to parse: ${location}`, options);
    this.location = redact(location);
  }
}

/** No pool class is registered for the URL's scheme. */
export class URLSchemeUnknown extends LocationValueError {
  override readonly code: ErrorCode = "ERR_URLPOOL_URL_SCHEME_UNKNOWN";
  readonly scheme: string;

  constructor(scheme: string, options: HTTPErrorOptions & { message?: string } = {}) {
    super(options.message ?? `Not supported URL scheme ${scheme}`, options);
    this.scheme = scheme;
  }
}

/** A proxy URL has no scheme, or one that proxies cannot have. */
export class ProxySchemeUnknown extends URLSchemeUnknown {
  override readonly code: ErrorCode = "ERR_URLPOOL_PROXY_SCHEME_UNKNOWN";
}

/** Minifiers change the names of classes and leave those of properties alone. */
for (const [name, ErrorClass] of Object.entries({
  HTTPError,
  InvalidArgumentError,
  PoolError,
  EmptyPoolError,
  FullPoolError,
  ClosedPoolError,
  RequestError,
  MaxRetryError,
  HostChangedError,
  TimeoutError,
  ReadTimeoutError,
  DeadlineError,
  ConnectTimeoutError,
  NewConnectionError,
  NameResolutionError,
  AddressBlockedError,
  SSLError,
  ProxyError,
  MissingDependencyError,
  ProtocolError,
  ResponseNotChunked,
  IncompleteRead,
  InvalidChunkLength,
  DecodeError,
  BufferTooSmallError,
  ResponseError,
  InvalidHeader,
  UnrewindableBodyError,
  RequestBodyError,
  BodyUsedError,
  TimeoutStateError,
  LocationValueError,
  LocationParseError,
  URLSchemeUnknown,
  ProxySchemeUnknown,
})) {
  Object.defineProperty(ErrorClass, "name", { value: name, configurable: true });
}

/** Makes the warning that a request goes out without verification of the certificate. */
export const INSECURE_REQUEST_WARNING: string = "InsecureRequestWarning";
