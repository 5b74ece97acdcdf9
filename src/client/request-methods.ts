/** `request` and its two halves, over an `urlopen` that managers and pools each have (urllib3's `RequestMethods`). */

import { discardGiven } from "../body/request/encode.ts";
import { jsonText } from "../body/request/json.ts";
import { type Fields, multipartPayload } from "../body/request/multipart.ts";
import { isEmptyFields } from "../body/request/shapes.ts";
import { appendQuery, type QuerySource, urlencode } from "../body/request/urlencode.ts";
import { HTTPError, InvalidArgumentError } from "../core/errors.ts";
import { type HeaderSource, HTTPHeaderDict } from "../core/headers.ts";
import { shownUrl, type UrlLike, urlText } from "../core/url.ts";
import { checkMethod } from "../protocol/request-head.ts";
import { addCallSite } from "./failure.ts";
import type { RequestBody, RequestOptions, UrlopenOptions } from "./options.ts";
import { checkOption, OPTION_RULES } from "./options-table.ts";
import type { HTTPResponse } from "./response/response.ts";

/** No options at all; by identity the sign that a request goes by the defaults. */
export const NO_OPTIONS: UrlopenOptions = Object.freeze({});

const URL_METHODS = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

/** What managers and pools have in common. */
export abstract class RequestMethods {
  /** Fields of requests that bring none of their own. */
  abstract headers: HeaderSource | null | undefined;

  /** The low-level request: no encoding of fields. */
  abstract urlopen(method: string, url: UrlLike, options?: UrlopenOptions | null): Promise<HTTPResponse>;

  /**
   * Makes a request. `fields` go into the query for GET, HEAD, DELETE and OPTIONS, into the body otherwise.
   * Rejects with one of the library's errors, or with the signal's reason.
   */
  request(method: string, url: UrlLike, options?: RequestOptions | null): Promise<HTTPResponse> {
    // Most requests: no closure for them.
    if (options === undefined && typeof method === "string" && typeof url === "string") {
      return this.urlopen(method === "GET" ? method : method.toUpperCase(), url, NO_OPTIONS);
    }
    return this.#encoded(method, url, options ?? NO_OPTIONS, () => {
      const verb = upper(method);
      if (options === undefined || options === null) return this.urlopen(verb, urlText(url), NO_OPTIONS);
      return URL_METHODS.has(verb)
        ? this.requestEncodeUrl(verb, url, options)
        : this.requestEncodeBody(verb, url, options);
    });
  }

  /** A request whose `fields` go into the query. */
  requestEncodeUrl(method: string, url: UrlLike, given?: RequestOptions | null): Promise<HTTPResponse> {
    return this.#encoded(method, url, given ?? NO_OPTIONS, () => {
      const verb = upper(method);
      const options: RequestOptions = given ?? NO_OPTIONS;
      const { fields, encodeMultipart, multipartBoundary } = options;
      if ((encodeMultipart ?? multipartBoundary ?? undefined) !== undefined) {
        throw new InvalidArgumentError(`encodeMultipart and multipartBoundary mean nothing for ${verb}`);
      }
      const rest = withoutForm(encodeJson(options, this.headers));
      const text = urlText(url);
      const target = hasFields(fields) ? appendQuery(text, urlencode(fields as QuerySource)) : text;
      return this.urlopen(verb, target, rest);
    });
  }

  /** A request whose `fields` go into the body, multipart unless `encodeMultipart` is false. */
  requestEncodeBody(method: string, url: UrlLike, given?: RequestOptions | null): Promise<HTTPResponse> {
    return this.#encoded(method, url, given ?? NO_OPTIONS, () => {
      const verb = upper(method);
      const options: RequestOptions = given ?? NO_OPTIONS;
      const { fields, encodeMultipart, multipartBoundary } = options;
      if (encodeMultipart != null)
        checkOption("encodeMultipart", OPTION_RULES.encodeMultipart, encodeMultipart);
      if (multipartBoundary != null)
        checkOption("multipartBoundary", OPTION_RULES.multipartBoundary, multipartBoundary);
      const rest = withoutForm(encodeJson(options, this.headers));
      if (!hasFields(fields)) return this.urlopen(verb, urlText(url), rest);
      if (rest.body !== undefined && rest.body !== null) {
        throw new InvalidArgumentError(
          "request got values for both 'fields' and 'body', can only specify one.",
        );
      }
      const { body, contentType } =
        (encodeMultipart ?? true)
          ? multipartBody(fields as Fields, multipartBoundary)
          : { body: urlencode(fields as QuerySource), contentType: "application/x-www-form-urlencoded" };
      const headers = withType(rest.headers ?? this.headers, contentType);
      return this.urlopen(verb, urlText(url), { ...rest, body, headers });
    });
  }

  /** What the caller got wrong becomes a rejection, like every other failure. */
  #encoded(
    method: string,
    url: UrlLike,
    options: RequestOptions,
    send: () => Promise<HTTPResponse>,
  ): Promise<HTTPResponse> {
    try {
      return send();
    } catch (error) {
      return refuse(error, method, url, options);
    }
  }
}

/**
 * Rejects with `error`, which came before anything was sent; one of ours says of which request. Streams that the request
 * was given are closed.
 */
export function refuse(
  error: unknown,
  method: string,
  url: UrlLike,
  { body, fields }: RequestOptions,
): Promise<never> {
  discardGiven(body, fields);
  if (error instanceof HTTPError) error.describe({ method, url: shownUrl(url) });
  addCallSite(error, refuse);
  return Promise.reject(error);
}

function upper(method: unknown): string {
  checkMethod(method);
  return method.toUpperCase();
}

function hasFields(fields: RequestOptions["fields"]): fields is Fields | QuerySource {
  if (fields === null || fields === undefined) return false;
  // What is neither a mapping nor pairs is refused where it is encoded.
  return typeof fields !== "object" || !isEmptyFields(fields);
}

/** The options that `urlopen` takes. */
function withoutForm(options: RequestOptions): UrlopenOptions {
  const { fields, encodeMultipart, multipartBoundary } = options;
  if ((fields ?? encodeMultipart ?? multipartBoundary ?? null) === null) return options;
  const { fields: _1, encodeMultipart: _2, multipartBoundary: _3, ...rest } = options;
  return rest;
}

function encodeJson(options: RequestOptions, headers: HeaderSource | null | undefined): RequestOptions {
  if (options.json === undefined) return options;
  const { json, ...rest } = options;
  if (rest.body !== undefined && rest.body !== null) {
    throw new InvalidArgumentError(
      "request got values for both 'body' and 'json' parameters which are mutually exclusive",
    );
  }
  return { ...rest, body: jsonText(json), headers: withType(rest.headers ?? headers, "application/json") };
}

/** The body in the form in which it is sent: callers never see it. */
function multipartBody(
  fields: Fields,
  boundary: string | null | undefined,
): { body: RequestBody; contentType: string } {
  const payload = multipartPayload(fields, boundary);
  return { body: payload as unknown as RequestBody, contentType: payload.contentType };
}

/** A copy of `headers` with a Content-Type, unless it has one. */
function withType(headers: HeaderSource | null | undefined, contentType: string): HTTPHeaderDict {
  const copy = new HTTPHeaderDict(headers);
  if (!copy.has("content-type")) copy.set("Content-Type", contentType);
  return copy;
}
