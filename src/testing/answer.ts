/** What a mocked origin answers, as data and as a response. */

import type { MockRequest } from "./request.ts";

/**
 * How an exchange fails: `refuse` as if there were no server, `reset` before the head of the answer, `close-mid-body`
 * within its body, `stall` never answers, so that the read timeout ends it.
 */
export type MockFault = "refuse" | "reset" | "close-mid-body" | "stall";

/** What an answer says. At most one of `json`, `text` and `body` is its body. */
export interface MockContent {
  /** Default 200. */
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly json?: unknown;
  readonly text?: string | undefined;
  readonly body?: Uint8Array | undefined;
  /** ms before the answer, of the time that the manager goes by. Default 0. */
  readonly delay?: number | undefined;
}

/** One answer, and how it fails. */
export interface MockAnswer extends MockContent {
  readonly fault?: MockFault | undefined;
  /** Bytes of the body that come before `close-mid-body`. Default: half of them. */
  readonly after?: number | undefined;
}

/** An answer, or its status alone. */
export type MockReply = MockAnswer | number;

/** Makes an answer for a request. */
export type MockHandler = (request: MockRequest) => MockReply | PromiseLike<MockReply>;

/** The body of `answer`. */
export function bodyOf(answer: MockContent): Buffer {
  if (answer.body !== undefined) return Buffer.from(answer.body);
  if (answer.json !== undefined) return Buffer.from(JSON.stringify(answer.json));
  return Buffer.from(answer.text ?? "");
}

/** The fields of `answer`, as name and value; its type and length are added unless it has them. */
export function fieldsOf(answer: MockContent, length: number): [name: string, value: string][] {
  const fields: [string, string][] = [];
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    for (const one of typeof value === "string" ? [value] : value) fields.push([name, one]);
  }
  const has = (name: string): boolean => fields.some(([own]) => own.toLowerCase() === name);
  if (answer.json !== undefined && !has("content-type")) fields.push(["Content-Type", "application/json"]);
  const { status = 200 } = answer;
  // RFC 9110 §8.6: none on 204; on 304 that of another response.
  if (!has("content-length") && status !== 204 && status !== 304)
    fields.push(["Content-Length", String(length)]);
  return fields;
}
