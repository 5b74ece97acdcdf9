/** Percent-encoding (RFC 3986 §2.1) of URL components. Every function here takes time linear in the text. */

/** The characters that a component may hold unencoded. */
export interface CharacterSet {
  readonly onlyAllowed: RegExp;
  readonly tripletOrOther: RegExp;
}

const UNRESERVED_CLASS = "A-Za-z0-9._~\\-";
const USERINFO_CLASS = `${UNRESERVED_CLASS}!$&'()*+,;=:`;
const PATH_CLASS = `${USERINFO_CLASS}@/`;

/** Characters that never need encoding (RFC 3986 §2.3). */
export const UNRESERVED: CharacterSet = characterSet(UNRESERVED_CLASS);
/** `userinfo`: unreserved, sub-delims and ":" (RFC 3986 §3.2.1). */
export const USERINFO: CharacterSet = characterSet(USERINFO_CLASS);
/** `path`: those of userinfo, "@" and "/" (RFC 3986 §3.3). */
export const PATH: CharacterSet = characterSet(PATH_CLASS);
/** `query` and `fragment`: those of path and "?" (RFC 3986 §3.4, §3.5). */
export const QUERY: CharacterSet = characterSet(`${PATH_CLASS}?`);

const STRAY_PERCENT = /%(?![0-9a-f]{2})/i;
const ASCII_TRIPLETS: readonly string[] = Array.from({ length: 128 }, (_unused, code) => triplet(code));
const TRIPLETS = /(?:%[0-9a-f]{2})+/gi;

function characterSet(allowed: string): CharacterSet {
  return {
    onlyAllowed: new RegExp(`^[${allowed}]*$`),
    tripletOrOther: new RegExp(`%[0-9A-Fa-f]{2}|[^${allowed}]`, "gu"),
  };
}

/** Whether `text` has a "%" that begins no triplet `%XX`. */
export function hasStrayPercent(text: string): boolean {
  return STRAY_PERCENT.test(text);
}

/**
 * `text` as UTF-8 with every byte outside `allowed` encoded; triplets become upper-case. A text with a "%" that begins
 * no triplet is taken as not encoded yet: then each "%" in it is encoded. Lone surrogates give their three bytes.
 */
export function encodeInvalid(text: string, allowed: CharacterSet): string {
  if (allowed.onlyAllowed.test(text)) return text;
  return text.replace(allowed.tripletOrOther, hasStrayPercent(text) ? encodeAgain : encodeMatch);
}

/** `text` with its triplets decoded as UTF-8; bytes that are not UTF-8 give U+FFFD, a stray "%" stays. */
export function percentDecode(text: string): string {
  return text.replace(TRIPLETS, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
}

function encodeMatch(match: string): string {
  // A character has at most two code units.
  return match.length === 3 ? match.toUpperCase() : encodeCharacter(match);
}

function encodeAgain(match: string): string {
  return match.length === 3 ? `%25${match.slice(1).toUpperCase()}` : encodeCharacter(match);
}

function encodeCharacter(character: string): string {
  const code = character.codePointAt(0) as number;
  if (code < 128) return ASCII_TRIPLETS[code] as string;
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  const bytes = surrogate
    ? [0xed, 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
    : Buffer.from(character);
  return Array.from(bytes, triplet).join("");
}

function triplet(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
