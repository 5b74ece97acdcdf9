/** What happens to an HTTP/2 stream, as the errors that callers see. */

import { HTTPError, type HTTPErrorOptions, ProtocolError } from "../../core/errors.ts";
import { codeName, REFUSED_STREAM } from "../../protocol/h2/frames.ts";
import type { Violation } from "../../protocol/h2/violation.ts";

/** The server broke a rule; `violation` says which. */
export function violationError(violation: Violation, options: HTTPErrorOptions = {}): ProtocolError {
  const { message, code, scope } = violation;
  const what = scope === "connection" ? "the connection" : "the stream";
  return new ProtocolError(
    `The server broke a rule of HTTP/2: ${message}. (${what} ended with ${codeName(code)})`,
    {
      h2Code: code,
      ...options,
    },
  );
}

/** The server has reset the stream. */
export function resetError(code: number, options: HTTPErrorOptions = {}): ProtocolError {
  const processed = code === REFUSED_STREAM && options.phase !== "body" ? { processed: false } : {};
  return new ProtocolError(`The server reset the stream: ${codeName(code)}`, {
    h2Code: code,
    ...processed,
    ...options,
  });
}

/** The server has ended the connection and says that it did not process the stream. */
export function unprocessedError(code: number, text: string): ProtocolError {
  const said = text === "" ? "" : `, saying ${JSON.stringify(text)}`;
  return new ProtocolError(
    `The server closed the connection before it processed the request: ${codeName(code)}${said}`,
    {
      h2Code: code,
      processed: false,
      phase: "head",
    },
  );
}

/** GOAWAY says that the server did not process what it had begun to answer. */
export function contradictionError(code: number): ProtocolError {
  return new ProtocolError(`The server closed the connection within its response: ${codeName(code)}`, {
    h2Code: code,
    phase: "body",
  });
}

/** The connection broke while the stream was open. */
export function brokenError(inBody: boolean, what: string, cause: unknown): ProtocolError {
  const where = inBody ? "Connection broken" : "Connection aborted";
  const options = { phase: inBody ? "body" : "head" } as const;
  return new ProtocolError(`${where}: ${what}`, cause === undefined ? options : { ...options, cause });
}

/** What a connection dies of, as its exchanges hear it. */
export function toHttpError(error: unknown): HTTPError {
  if (error instanceof HTTPError) return error;
  return new ProtocolError(`Connection aborted: ${error}`, { cause: error });
}

/** One error is one caller's: the others get their own, with it as cause. */
export function once(first: HTTPError): () => HTTPError {
  let told = false;
  return () => {
    if (told)
      return new ProtocolError(`Connection aborted: ${first.message}`, { cause: first, phase: "head" });
    told = true;
    return first;
  };
}
