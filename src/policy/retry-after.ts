/**
 * The value of Retry-After (RFC 9110 section 10.2.3): delay-seconds, or one of the three forms of HTTP-date
 * (section 5.6.7). Strict: what is neither is not guessed at.
 */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const MONTH = `(?<month>${MONTHS.join("|")})`;
const DAY_NAME = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const LONG_DAY_NAME = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";
const TIME = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
// "GMT" by the grammar; "UTC" is sent too, and means the same.
const ZONE = "(?: (?:GMT|UTC))?";

const DATE_FORMS = [
  // RFC 1123: Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(String.raw`^${DAY_NAME}, (?<day>\d\d?) ${MONTH} (?<year>\d{4}) ${TIME}${ZONE}$`),
  // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(String.raw`^${LONG_DAY_NAME}, (?<day>\d\d)-${MONTH}-(?<year>\d\d) ${TIME}${ZONE}$`),
  // asctime: Sun Nov  6 08:49:37 1994
  new RegExp(String.raw`^${DAY_NAME} ${MONTH} (?<day>[ \d]\d) ${TIME} (?<year>\d{4})$`),
];

const DELAY_SECONDS = /^\d+$/;
const BLANKS_AROUND = /^[\t ]+|[\t ]+$/g;

/**
 * The delay that the value of a Retry-After field asks for, in ms from `wallNow` (ms since the epoch): 0 if the time
 * is past, `null` if the value is malformed.
 */
export function retryAfterDelay(value: string, wallNow: number): number | null {
  const text = value.replace(BLANKS_AROUND, "");
  if (DELAY_SECONDS.test(text)) return Number(text) * 1000;
  const date = parseHTTPDate(text, wallNow);
  return date === null ? null : Math.max(0, date - wallNow);
}

/**
 * An HTTP-date (RFC 9110 section 5.6.7) in ms since the epoch, `null` if it is none. A time without zone is UTC. The
 * name of the day must be one, but need not fit the date. `wallNow` decides the century of two-digit years.
 */
export function parseHTTPDate(text: string, wallNow: number): number | null {
  for (const form of DATE_FORMS) {
    const groups = form.exec(text)?.groups;
    if (groups !== undefined) return dateOf(groups, wallNow);
  }
  return null;
}

function dateOf(groups: Record<string, string>, wallNow: number): number | null {
  const month = MONTHS.indexOf(groups.month!);
  const [day, hour, minute, second] = [groups.day, groups.hour, groups.minute, groups.second].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  const year = groups.year!.length === 2 ? fullYear(Number(groups.year), wallNow) : Number(groups.year);
  // 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60) return null;
  const midnight = Date.UTC(year, month, day);
  // A day that the month does not have comes out as another.
  if (new Date(midnight).getUTCDate() !== day) return null;
  return midnight + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** A two-digit year that seems more than 50 years ahead is the most recent one that ends so (RFC 9110 section 5.6.7). */
function fullYear(lastDigits: number, wallNow: number): number {
  const now = new Date(wallNow).getUTCFullYear();
  const year = now - (now % 100) + lastDigits;
  return year > now + 50 ? year - 100 : year;
}
