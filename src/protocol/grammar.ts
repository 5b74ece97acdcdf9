/** The character classes of RFC 9110 §5.6 and RFC 9112 as lookup tables: one byte in, one bit out. */

const TOKEN_SYMBOLS = "!#$%&'*+-.^_`|~";

function table(accepts: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_unused, code) => (accepts(code) ? 1 : 0));
}

function isAlphanumeric(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

/** `tchar` of RFC 9110 §5.6.2: what methods and field names are made of. */
export const TOKEN: Uint8Array = table(
  (code) => isAlphanumeric(code) || TOKEN_SYMBOLS.includes(String.fromCharCode(code)),
);

/** A byte of a field value or reason phrase: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5); no other control. */
export const FIELD: Uint8Array = table((code) => code === 9 || (code >= 32 && code !== 127));

/** Value of a hexadecimal digit, 255 for any other byte. */
export const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_unused, code) => {
  const digit = code > 127 ? Number.NaN : Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

/** Whether `text` is a `token` (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127 || TOKEN[code] === 0) return false;
  }
  return true;
}

/** Whether `text` may be sent as a field value: Latin-1 without controls but HTAB (RFC 9110 §5.5). */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || FIELD[code] === 0) return false;
  }
  return true;
}
