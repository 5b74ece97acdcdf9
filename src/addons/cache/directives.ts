/** What the fields of caching say: Cache-Control (RFC 9111 §5.2), dates (RFC 9110 §5.6.7) and ages. */

/** Directives by lower-case name; without an argument `true`. Of several of one name the first counts. */
export type Directives = ReadonlyMap<string, string | true>;

const DIRECTIVE = /\s*([^\s=,"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,"]*))?[^,]*(?:,|$)/gy;

/** Reads a Cache-Control field. */
export function parseDirectives(field: string | null): Directives {
  const directives = new Map<string, string | true>();
  if (field === null) return directives;
  for (const [, name, argument] of field.matchAll(DIRECTIVE)) {
    const key = name!.toLowerCase();
    if (!directives.has(key)) directives.set(key, argument === undefined ? true : unquoted(argument.trim()));
  }
  return directives;
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text;
}

/** Above this many seconds all are alike (RFC 9111 §1.2.2). */
const LONGEST = 2 ** 31;

/** The seconds a directive names: `null` if it is absent, 0 if its argument is none: that counts as stale (§4.2.1). */
export function secondsOf(directives: Directives, name: string): number | null {
  const argument = directives.get(name);
  if (argument === undefined) return null;
  return typeof argument === "string" && /^\d+$/.test(argument) ? Math.min(Number(argument), LONGEST) : 0;
}

/** The seconds of an Age field; 0 for what is none. Of a list the first member counts (RFC 9111 §5.1). */
export function parseAge(field: string | null): number {
  const [first] = (field ?? "").split(",");
  const text = first!.trim();
  return /^\d+$/.test(text) ? Math.min(Number(text), LONGEST) : 0;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAY = "(?:mon|tue|wed|thu|fri|sat|sun)";
const TIME = "(\\d\\d):(\\d\\d):(\\d\\d)";
const MONTH = `(${MONTHS.join("|")})`;
const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} gmt$`, "i");
const RFC_850 = new RegExp(
  `^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} gmt$`,
  "i",
);
const ASCTIME = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, "i");

/** The time that a field names, in ms since the epoch; `null` if it names none in one of HTTP's three forms. */
export function parseDate(field: string | null, now: number): number | null {
  if (field === null) return null;
  const text = field.trim();
  const fixed = IMF_FIXDATE.exec(text);
  if (fixed !== null) return timeOf(fixed[3]!, fixed[2]!, fixed[1]!, fixed.slice(4));
  const old = RFC_850.exec(text);
  if (old !== null) return timeOf(fullYear(Number(old[3]), now), old[2]!, old[1]!, old.slice(4));
  const unix = ASCTIME.exec(text);
  if (unix !== null) return timeOf(unix[6]!, unix[1]!, unix[2]!, unix.slice(3, 6));
  return null;
}

function timeOf(year: string | number, month: string, day: string, time: readonly string[]): number {
  const [hour, minute, second] = time.map(Number);
  return Date.UTC(Number(year), MONTHS.indexOf(month.toLowerCase()), Number(day), hour, minute, second);
}

/** Of two digits: more than 50 years ahead is the past. */
function fullYear(digits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + digits;
  return year > thisYear + 50 ? year - 100 : year;
}
