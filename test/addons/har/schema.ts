/** HTTP Archive 1.2 as rules: what is wrong with a value, line by line. */

type Check = (value: unknown, path: string) => string[];

const is =
  (type: string): Check =>
  (value, path) =>
    typeof value === type ? [] : [`${path} is no ${type}`];
const text = is("string");
const number: Check = (value, path) => (Number.isFinite(value) ? [] : [`${path} is no number`]);
const atLeast =
  (least: number): Check =>
  (value, path) =>
    (value as number) >= least ? number(value, path) : [`${path} is below ${least}`];
const list =
  (each: Check): Check =>
  (value, path) =>
    Array.isArray(value)
      ? value.flatMap((one, index) => each(one, `${path}[${index}]`))
      : [`${path} is no list`];
const time: Check = (value, path) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(String(value))
    ? []
    : [`${path} is no time`];

/** `optional` may be missing; names with an underscore are one's own. */
const object =
  (required: Record<string, Check>, optional: Record<string, Check> = {}): Check =>
  (value, path) => {
    if (typeof value !== "object" || value === null) return [`${path} is no object`];
    const given = value as Record<string, unknown>;
    const missing = Object.keys(required).filter((name) => given[name] === undefined);
    const wrong = Object.entries(given).flatMap(([name, one]) => {
      if (name.startsWith("_") || name === "comment") return [];
      const check = required[name] ?? optional[name];
      return check === undefined ? [`${path}.${name} is unknown`] : check(one, `${path}.${name}`);
    });
    return [...missing.map((name) => `${path}.${name} is missing`), ...wrong];
  };

const pair = object({ name: text, value: text });
const cookie = object(
  { name: text, value: text },
  { path: text, domain: text, expires: time, httpOnly: is("boolean"), secure: is("boolean") },
);
const message = {
  httpVersion: text,
  cookies: list(cookie),
  headers: list(pair),
  headersSize: atLeast(-1),
  bodySize: atLeast(-1),
};
const postData = object({ mimeType: text, text, params: list(pair) });
const content = object({ size: atLeast(0), mimeType: text }, { text, encoding: text, compression: number });
const phase = atLeast(-1);
const timings = object(
  { send: atLeast(0), wait: atLeast(0), receive: atLeast(0) },
  { blocked: phase, dns: phase, connect: phase, ssl: phase },
);
const entry = object(
  {
    startedDateTime: time,
    time: atLeast(0),
    request: object({ method: text, url: text, queryString: list(pair), ...message }, { postData }),
    response: object({ status: atLeast(0), statusText: text, content, redirectURL: text, ...message }),
    cache: object({}, {}),
    timings,
  },
  { serverIPAddress: text, connection: text, pageref: text },
);
const har = object({
  log: object(
    { version: text, creator: object({ name: text, version: text }), entries: list(entry) },
    { pages: list(object({})), browser: object({}) },
  ),
});

/** What is wrong with an archive; empty if nothing is. */
export function harFaults(archive: unknown): string[] {
  return har(archive, "har");
}
