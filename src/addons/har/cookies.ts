/** The cookies that a head shows, as an archive lists them. */

import type { HarCookie, HarField } from "./format.ts";

/** Those of Cookie fields. */
export function cookiesSent(headers: readonly HarField[]): HarCookie[] {
  return valuesOf(headers, "cookie").flatMap((field) =>
    field.split(";").flatMap((pair) => pairOf(pair) ?? []),
  );
}

/** Those of Set-Cookie fields, with the attributes that an archive has names for. */
export function cookiesSet(headers: readonly HarField[]): HarCookie[] {
  return valuesOf(headers, "set-cookie").flatMap((field) => {
    const [first = "", ...attributes] = field.split(";");
    const pair = pairOf(first);
    return pair === null ? [] : [{ ...pair, ...Object.assign({}, ...attributes.map(attributeOf)) }];
  });
}

function valuesOf(headers: readonly HarField[], wanted: string): string[] {
  return headers.filter(({ name }) => name.toLowerCase() === wanted).map(({ value }) => value);
}

function pairOf(text: string): HarField | null {
  const [name = "", ...value] = text.trim().split("=");
  return name === "" ? null : { name: name.trim(), value: value.join("=").trim() };
}

function attributeOf(text: string): Partial<HarCookie> {
  const { name, value } = pairOf(text) ?? { name: "", value: "" };
  switch (name.toLowerCase()) {
    case "path":
      return { path: value };
    case "domain":
      return { domain: value };
    case "httponly":
      return { httpOnly: true };
    case "secure":
      return { secure: true };
    case "expires":
      return Number.isNaN(Date.parse(value)) ? {} : { expires: new Date(value).toISOString() };
    default:
      return {};
  }
}
