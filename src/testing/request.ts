/** A request as a mocked origin saw it. */

import { HTTPHeaderDict } from "../index.ts";

/** What came to a mocked origin, one for each try of a request. */
export class MockRequest {
  readonly method: string;
  /** Whole, with its query. */
  readonly url: string;
  /** The caller's fields. */
  readonly headers: HTTPHeaderDict;
  readonly body: Buffer;
  /** Counts the connections of one `MockOrigins`, from 1. */
  readonly connection: number;
  /** What the `:name` parts of the route's path matched. */
  params: Readonly<Record<string, string>> = {};

  constructor(method: string, url: string, headers: HTTPHeaderDict | null, body: Buffer, connection: number) {
    this.method = method;
    this.url = url;
    this.headers = headers ?? new HTTPHeaderDict();
    this.body = body;
    this.connection = connection;
  }

  /** The body as UTF-8. */
  text(): string {
    return this.body.toString();
  }

  /** The body as JSON. Throws `SyntaxError`. */
  json(): unknown {
    return JSON.parse(this.text());
  }
}
