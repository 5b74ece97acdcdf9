/** Values of WWW-Authenticate and Proxy-Authenticate (RFC 9110 §11.6.1): a list of schemes, each with its parameters. */

/** One scheme that is offered. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case; a name that is there twice keeps its first value. */
  readonly params: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAM = new RegExp(`[\\s,]*(${TOKEN})[\\t ]*=[\\t ]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, "y");
/** A scheme, and what is no parameter behind it (a token68). */
const SCHEME = new RegExp(
  `[\\s,]*(${TOKEN})(?=[\\t ,]|$)(?:[\\t ]+[A-Za-z0-9._~+/-]+=*(?=[\\t ]*(?:,|$)))?`,
  "y",
);

/** The challenges in `value`, up to the first part that is none. */
export function parseChallenges(value: string): Challenge[] {
  const challenges: { scheme: string; params: Map<string, string> }[] = [];
  let at = 0;
  for (;;) {
    PARAM.lastIndex = at;
    const param = PARAM.exec(value);
    const params = challenges.at(-1)?.params;
    if (param !== null && params !== undefined) {
      const name = param[1]!.toLowerCase();
      const text = param[2]?.replace(/\\(.)/g, "$1") ?? param[3]!;
      if (!params.has(name)) params.set(name, text);
      at = PARAM.lastIndex;
      continue;
    }
    SCHEME.lastIndex = at;
    const scheme = SCHEME.exec(value);
    if (scheme === null) return challenges;
    challenges.push({ scheme: scheme[1]!.toLowerCase(), params: new Map() });
    at = SCHEME.lastIndex;
  }
}
