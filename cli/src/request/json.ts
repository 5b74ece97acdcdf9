/** JSON for people: indented and coloured, with every number and every key as it came. */

import type { Paint } from "../terminal.ts";

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[[\]{},:]/gy;
const SPACE = /\s*/y;

/** The text indented by two, painted; `null` if it is no JSON. */
export function prettyJson(text: string, paint: Paint): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return new Printer(paint).print([...tokens(text)]);
}

function* tokens(text: string): Generator<string> {
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    TOKEN.lastIndex = at;
    const [token] = TOKEN.exec(text) as RegExpExecArray;
    yield token as string;
    at += (token as string).length;
  }
}

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at;
  return at + (SPACE.exec(text) as RegExpExecArray)[0].length;
}

class Printer {
  readonly #paint: Paint;
  #depth = 0;

  constructor(paint: Paint) {
    this.#paint = paint;
  }

  print(all: readonly string[]): string {
    return all.map((token, index) => this.#token(token, all[index - 1], all[index + 1])).join("");
  }

  #token(token: string, before: string | undefined, after: string | undefined): string {
    switch (token) {
      case "{":
      case "[":
        if (after === "}" || after === "]") return token;
        this.#depth += 1;
        return `${token}${this.#line()}`;
      case "}":
      case "]":
        if (before === "{" || before === "[") return token;
        this.#depth -= 1;
        return `${this.#line()}${token}`;
      case ",":
        return `,${this.#line()}`;
      case ":":
        return ": ";
      default:
        return this.#value(token, after === ":");
    }
  }

  #value(token: string, isKey: boolean): string {
    if (isKey) return this.#paint("cyan", token);
    if (token.startsWith('"')) return this.#paint("green", token);
    return this.#paint(/^[-\d]/.test(token) ? "yellow" : "magenta", token);
  }

  #line(): string {
    return `\n${"  ".repeat(this.#depth)}`;
  }
}
