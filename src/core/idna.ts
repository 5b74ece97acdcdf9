/**
 * Host labels beyond ASCII, by IDNA 2008: which code points a label may hold (RFC 5892) and what the label must look
 * like (RFC 5891 §4.2). The platform's `domainToASCII` follows UTS 46, which maps and allows more; it does the
 * Punycode, the rules for joiners and the Bidi rule (RFC 5893).
 */

import { domainToASCII, domainToUnicode } from "node:url";

const LONGEST_LABEL = 63;

/** RFC 5892 §2.6: valid, or left to {@link MISPLACED}, whatever their properties say. */
const ALLOWED_EXCEPTIONS =
  "a-z0-9\\-\\u00b7\\u00df\\u0375\\u03c2\\u05f3\\u05f4\\u0660-\\u0669\\u06f0-\\u06f9\\u06fd\\u06fe\\u0f0b\\u200c\\u200d\\u3007\\u30fb";
/** RFC 5892 §2.6, §2.9 (old Hangul Jamo) and §2.4 (combining marks for symbols, musical notation). */
const DISALLOWED_EXCEPTIONS =
  "\\u0640\\u07fa\\u302e\\u302f\\u3031-\\u3035\\u303b\\u1100-\\u11ff\\ua960-\\ua97c\\ud7b0-\\ud7fb\\u20d0-\\u20ff\\u{1d100}-\\u{1d24f}";
/** RFC 5892 §2.1 to §2.3: letters and digits that case folding and NFKC leave alone (capitals are not). */
const STABLE_LETTER = `(?!\\p{CWKCF}|\\p{DI}|[${DISALLOWED_EXCEPTIONS}])[\\p{Ll}\\p{Lo}\\p{Lm}\\p{Mn}\\p{Mc}\\p{Nd}]`;

const ALLOWED = new RegExp(`^(?:[${ALLOWED_EXCEPTIONS}]|${STABLE_LETTER})+$`, "u");

/** Letters written from right to left; of the digits those that count as such letters (Bidi classes R and AL). */
const RIGHT_TO_LEFT =
  "(?=[\\p{L}\\p{N}])[\\u0590-\\u065f\\u066a-\\u06ef\\u06fa-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff\\u{10800}-\\u{10d2f}\\u{10d3a}-\\u{10fff}\\u{1e800}-\\u{1efff}]";
const ARABIC_DIGIT = "[\\u0660-\\u0669\\u{10d30}-\\u{10d39}]";

/** RFC 5892 appendix A: code points that are valid in some surroundings only. */
const MISPLACED: readonly RegExp[] = [
  /(?<!l)\u00b7|\u00b7(?!l)/u, // middle dot: between two "l"
  /\u0375(?!\p{Script=Greek})/u, // keraia: before Greek
  /(?<!\p{Script=Hebrew})[\u05f3\u05f4]/u, // geresh, gershayim: after Hebrew
  /^[^\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]*\u30fb[^\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]*$/u,
  // RFC 5893 rule 1, where the platform is lax: what holds such letters or digits must begin with such a letter.
  new RegExp(`^(?!${RIGHT_TO_LEFT})(?=.*(?:${RIGHT_TO_LEFT}|${ARABIC_DIGIT}))`, "u"),
  /[\u0660-\u0669].*[\u06f0-\u06f9]|[\u06f0-\u06f9].*[\u0660-\u0669]/u, // two kinds of Arabic digits
];

/** RFC 5891 §4.2.3: hyphens at the ends or in third and fourth place, a combining mark in front. */
const MISSHAPEN = /^-|-$|^..--|^\p{M}/u;

/** The A-label of a label that is not all ASCII; `undefined` if IDNA 2008 disallows it. */
export function idnaLabel(label: string): string | undefined {
  // No A-label that long could be valid, and Punycode takes quadratic time.
  if (label.length > 2 * LONGEST_LABEL) return undefined;
  const lowered = label.toLowerCase();
  if (!isValid(lowered)) return undefined;
  const ascii = domainToASCII(lowered);
  if (ascii.length > LONGEST_LABEL || !ascii.startsWith("xn--")) return undefined;
  // The platform maps to NFC, which a label must be in already, and its tables may map what ours call valid.
  return domainToUnicode(ascii) === lowered ? ascii : undefined;
}

function isValid(label: string): boolean {
  return ALLOWED.test(label) && !MISSHAPEN.test(label) && !MISPLACED.some((pattern) => pattern.test(label));
}
