/**
 * Recognises, without parsing, URLs whose request target can be taken as it stands: what follows the origin is made of
 * characters that need no encoding, without dot segments and fragment. Anything else goes the long way.
 */

const UNRESERVED_AND_DELIMITERS = "-._~!$&'()*+,;=:@/?";

const PLAIN = Uint8Array.from({ length: 128 }, (_unused, code) =>
  /[A-Za-z0-9]/.test(String.fromCharCode(code)) ||
  UNRESERVED_AND_DELIMITERS.includes(String.fromCharCode(code))
    ? 1
    : 0,
);

const SLASH = 47;
const DOT = 46;

/** Whether `url.slice(start)` is empty or a plain path with query. */
export function isPlainTarget(url: string, start: number): boolean {
  if (start === url.length) return true;
  if (url.charCodeAt(start) !== SLASH) return false;
  let previous = SLASH;
  for (let i = start + 1; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code > 127 || PLAIN[code] === 0 || (code === DOT && previous === SLASH)) return false;
    previous = code;
  }
  return true;
}

/** Where the origin of `url` ends, or -1 if it does not start with one. */
export function originEnd(url: string): number {
  const authority = url.indexOf("://") + 3;
  if (authority === 2) return -1;
  const end = url.indexOf("/", authority);
  return end === -1 ? url.length : end;
}
