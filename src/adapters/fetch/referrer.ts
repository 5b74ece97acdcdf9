/** The Referer of a request, by its policy (Referrer Policy §8.3). */

/** What of a referrer a policy shows to the same origin, to another, and to a less secure one. */
type Rule = readonly [same: Shown, other: Shown, downgrade: Shown];
type Shown = "url" | "origin" | "nothing";

const STRICT: Rule = ["url", "origin", "nothing"];

const RULES: Readonly<Record<string, Rule>> = {
  "no-referrer": ["nothing", "nothing", "nothing"],
  "no-referrer-when-downgrade": ["url", "url", "nothing"],
  "same-origin": ["url", "nothing", "nothing"],
  origin: ["origin", "origin", "origin"],
  "strict-origin": ["origin", "origin", "nothing"],
  "origin-when-cross-origin": ["url", "origin", "origin"],
  "strict-origin-when-cross-origin": STRICT,
  "unsafe-url": ["url", "url", "url"],
};

/** The Referer for a request to `target`; `null` for none. `referrer` is as `Request.referrer` has it. */
export function refererFor(target: URL, referrer: string, policy: string): string | null {
  if (!/^https?:/.test(referrer)) return null;
  const url = new URL(referrer);
  const [same, other, downgrade] = RULES[policy] ?? STRICT;
  const shown =
    url.origin === target.origin
      ? same
      : url.protocol === "https:" && target.protocol === "http:"
        ? downgrade
        : other;
  if (shown === "nothing") return null;
  if (shown === "origin") return `${url.origin}/`;
  url.username = url.password = url.hash = "";
  return url.href;
}
