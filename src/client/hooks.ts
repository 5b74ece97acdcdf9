/** What the caller's hooks see of each try of a request: `onRequest` before it is sent, `onResponse` when its head has come. */

import { HTTPHeaderDict } from "../core/headers.ts";

/** A try of a request that is about to be sent. */
export interface AttemptRequest {
  /** Number of the request in this process, as in the messages of the diagnostics channels. */
  readonly request: number;
  readonly method: string;
  /** Absolute, without credentials. */
  readonly url: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** The fields of this try: changes are sent, and do not last to the next try. Default fields are not among them. */
  readonly headers: HTTPHeaderDict;
}

/** The head of the answer to a try, whether the caller gets this answer or another try is made. */
export interface AttemptResponse {
  /** Number of the request in this process, as in the messages of the diagnostics channels. */
  readonly request: number;
  readonly method: string;
  /** Absolute, without credentials. */
  readonly url: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly status: number;
  readonly headers: HTTPHeaderDict;
}

/** Sees each try before it is sent, and may set header fields, such as `traceparent`. What it throws ends the request. */
export type OnRequest = (request: AttemptRequest) => void;

/** Sees the head of each answer. What it throws ends the request. */
export type OnResponse = (response: AttemptResponse) => void;

/** Which try of what. */
export type AttemptFacts = Omit<AttemptRequest, "headers">;

/** The fields of a try, after the caller's `onRequest` has seen them; `headers` are not modified. */
export function fieldsAfterHook(
  { onRequest }: { readonly onRequest: OnRequest | null },
  headers: HTTPHeaderDict | null,
  facts: AttemptFacts,
): HTTPHeaderDict | null {
  if (onRequest === null) return headers;
  const fields = new HTTPHeaderDict(headers);
  onRequest({ ...facts, headers: fields });
  return fields.size === 0 ? null : fields;
}

/** Shows the caller's `onResponse` the head of an answer. */
export function tellResponse(
  { onResponse }: { readonly onResponse: OnResponse | null },
  { status, headers }: Pick<AttemptResponse, "status" | "headers">,
  facts: AttemptFacts,
): void {
  onResponse?.({ ...facts, status, headers });
}
