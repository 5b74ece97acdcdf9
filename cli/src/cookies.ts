/** `--cookie-jar`: cookies in the file format of Netscape and curl, kept by tough-cookie. */

import { readFile, rename, writeFile } from "node:fs/promises";
import type { Cookie, CookieJar } from "tough-cookie";
import { EXIT, Failure, optionalPackage } from "./failure.ts";

const HEAD = "# Netscape HTTP Cookie File\n";
/** How curl marks cookies that scripts do not see. */
const HTTP_ONLY = "#HttpOnly_";

/** A jar with a file. */
export interface JarFile {
  readonly jar: CookieJar;
  /** Writes the cookies back, those of the session too. */
  save(): Promise<void>;
}

/** Reads the cookies of a file; without one the jar is empty. */
export async function openJar(path: string): Promise<JarFile> {
  const tough = await optionalPackage("tough-cookie", () => import("tough-cookie"), "--cookie-jar");
  const jar = new tough.CookieJar(undefined, { rejectPublicSuffixes: true });
  for (const line of (await readJar(path)).split(/\r?\n/)) {
    const fields = cookieFields(line);
    if (fields === null) continue;
    const cookie = new tough.Cookie(fields);
    const url = `${fields.secure ? "https" : "http"}://${fields.domain}${fields.path}`;
    await jar.setCookie(cookie, url, { ignoreError: true });
  }
  return { jar, save: () => saveJar(path, jar) };
}

async function readJar(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw new Failure(`cannot read ${path}: ${(cause as Error).message}`, EXIT.read, { cause });
  }
}

interface CookieFields {
  domain: string;
  hostOnly: boolean;
  path: string;
  secure: boolean;
  httpOnly: boolean;
  expires: Date | "Infinity";
  key: string;
  value: string;
}

/** domain, with subdomains, path, secure, expiry in seconds (0: of the session), name, value; `null` for comments. */
function cookieFields(line: string): CookieFields | null {
  const httpOnly = line.startsWith(HTTP_ONLY);
  if (line.startsWith("#") && !httpOnly) return null;
  const [domain, wide, path, secure, expires, key, ...value] = line
    .slice(httpOnly ? HTTP_ONLY.length : 0)
    .split("\t");
  if (key === undefined || domain === undefined || path === undefined) return null;
  const seconds = Number(expires);
  return {
    domain: domain.replace(/^\./, ""),
    hostOnly: wide !== "TRUE",
    path,
    secure: secure === "TRUE",
    httpOnly,
    expires: seconds > 0 ? new Date(seconds * 1000) : "Infinity",
    key,
    value: value.join("\t"),
  };
}

async function saveJar(path: string, jar: CookieJar): Promise<void> {
  const { cookies } = await jar.serialize();
  const tough = await import("tough-cookie");
  const lines = cookies.flatMap((each) => {
    const cookie = tough.Cookie.fromJSON(each);
    return cookie === undefined ? [] : [cookieLine(cookie)];
  });
  try {
    // Only its owner may read it.
    await writeFile(`${path}.part`, HEAD + lines.join(""), { mode: 0o600 });
    await rename(`${path}.part`, path);
  } catch (cause) {
    throw new Failure(`cannot write ${path}: ${(cause as Error).message}`, EXIT.write, { cause });
  }
}

function cookieLine(cookie: Cookie): string {
  const { domain, hostOnly, path, secure, httpOnly, key, value } = cookie;
  const expires = cookie.expiryTime();
  const seconds = expires === undefined || !Number.isFinite(expires) ? 0 : Math.floor(expires / 1000);
  const flags = [hostOnly ? "FALSE" : "TRUE", path ?? "/", secure ? "TRUE" : "FALSE", seconds];
  return `${httpOnly ? HTTP_ONLY : ""}${[`${hostOnly ? "" : "."}${domain}`, ...flags, key, value].join("\t")}\n`;
}
