/** The head of an answer that no parser saw. */

import { HTTPHeaderDict } from "../index.ts";
import type { ResponseHead } from "../protocol/response-head.ts";
import { fieldsOf, type MockAnswer } from "./answer.ts";

/** Status and fields of an answer as HTTP/1.1 has them. */
export class MockHead implements ResponseHead {
  readonly status: number;
  readonly version = 11;
  readonly reason = "";
  readonly #fields: [name: string, value: string][];

  /** `length`: bytes of the body. */
  constructor(answer: MockAnswer, length: number) {
    this.status = answer.status ?? 200;
    this.#fields = fieldsOf(answer, length);
  }

  get encoded(): boolean {
    return this.#fields.some(([name]) => name.toLowerCase() === "content-encoding");
  }

  fields(): HTTPHeaderDict {
    const fields = new HTTPHeaderDict();
    for (const [name, value] of this.#fields) fields.add(name, value);
    return fields;
  }

  toString(): string {
    const lines = this.#fields.map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${this.status} \r\n${lines.join("")}`;
  }
}
