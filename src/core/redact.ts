/** Credentials never reach an error, a log line, a trace or `toJSON`: every text passes here first. */

const USERINFO = /([a-z][a-z0-9+.-]*:)?\/\/[^/?#\\\s]*@/gi;

/** `text` with the userinfo (`user:password@`) of every URL in it removed. Linear in the length of `text`. */
export function redact(text: string): string {
  if (!text.includes("@")) return text;
  return text.replace(USERINFO, (_match, scheme: string | undefined) => `${scheme ?? ""}//`);
}
