/** `request` and its two halves, over an `urlopen` that managers and pools each have (urllib3's `RequestMethods`). */

import { type Fields, multipartPayload } from "../body/multipart.ts";
import { appendQuery, type QuerySource, urlencode } from "../body/urlencode.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { type HeaderSource, HTTPHeaderDict } from "../core/headers.ts";
import type { RequestBody, RequestOptions, UrlopenOptions } from "./options.ts";
import type { HTTPResponse } from "./response.ts";

/** No options at all; by identity the sign that a request goes by the defaults. */
export const NO_OPTIONS: UrlopenOptions = Object.freeze({});

const URL_METHODS = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

/** What managers and pools have in common. */
export abstract class RequestMethods {
  /** Fields of requests that bring none of their own. */
  abstract headers: HeaderSource | null | undefined;

  /** The low-level request: no encoding of fields. */
  abstract urlopen(method: string, url: string, options?: UrlopenOptions): Promise<HTTPResponse>;

  /**
   * Makes a request. `fields` go into the query for GET, HEAD, DELETE and OPTIONS, into the body otherwise.
   * Rejects with one of the library's errors, or with the signal's reason.
   */
  request(method: string, url: string, options?: RequestOptions): Promise<HTTPResponse> {
    if (options === undefined) return this.urlopen(upper(method), url, NO_OPTIONS);
    return this.#encoded(() => {
      const verb = upper(method);
      const prepared = encodeJson(options, this.headers);
      return URL_METHODS.has(verb)
        ? this.requestEncodeUrl(verb, url, prepared)
        : this.requestEncodeBody(verb, url, prepared);
    });
  }

  /** A request whose `fields` go into the query. */
  requestEncodeUrl(method: string, url: string, options: RequestOptions = NO_OPTIONS): Promise<HTTPResponse> {
    return this.#encoded(() => {
      if (options.encodeMultipart !== undefined || options.multipartBoundary !== undefined) {
        throw new InvalidArgumentError(`encodeMultipart and multipartBoundary mean nothing for ${method}`);
      }
      const { fields, json: _json, ...rest } = options;
      const target = hasFields(fields) ? appendQuery(url, urlencode(fields as QuerySource)) : url;
      return this.urlopen(upper(method), target, rest);
    });
  }

  /** A request whose `fields` go into the body, multipart unless `encodeMultipart` is false. */
  requestEncodeBody(
    method: string,
    url: string,
    options: RequestOptions = NO_OPTIONS,
  ): Promise<HTTPResponse> {
    return this.#encoded(() => {
      const { fields, encodeMultipart = true, multipartBoundary, json: _json, ...rest } = options;
      if (!hasFields(fields)) return this.urlopen(upper(method), url, rest);
      if (rest.body !== undefined && rest.body !== null) {
        throw new InvalidArgumentError(
          "request got values for both 'fields' and 'body', can only specify one.",
        );
      }
      const { body, contentType } = encodeMultipart
        ? multipartBody(fields, multipartBoundary)
        : { body: urlencode(fields as QuerySource), contentType: "application/x-www-form-urlencoded" };
      const headers = withType(rest.headers ?? this.headers, contentType);
      return this.urlopen(upper(method), url, { ...rest, body, headers });
    });
  }

  /** What the caller got wrong becomes a rejection, like every other failure. */
  #encoded(send: () => Promise<HTTPResponse>): Promise<HTTPResponse> {
    try {
      return send();
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

function upper(method: string): string {
  if (typeof method === "string") return method.toUpperCase();
  throw new InvalidArgumentError(`Method must be a string, not ${typeof method}`);
}

function hasFields(fields: Fields | null | undefined): fields is Fields {
  if (fields === null || fields === undefined) return false;
  if (Array.isArray(fields)) return fields.length > 0;
  return Symbol.iterator in Object(fields) || Object.keys(fields).length > 0;
}

function encodeJson(options: RequestOptions, headers: HeaderSource | null | undefined): RequestOptions {
  const { json, ...rest } = options;
  if (json === undefined) return rest;
  if (rest.body !== undefined && rest.body !== null) {
    throw new InvalidArgumentError(
      "request got values for both 'body' and 'json' parameters which are mutually exclusive",
    );
  }
  const body = JSON.stringify(json);
  if (body === undefined) throw new InvalidArgumentError("'json' must be a value that JSON can express");
  return { ...rest, body, headers: withType(rest.headers ?? headers, "application/json") };
}

/** The body in the form in which it is sent: callers never see it. */
function multipartBody(
  fields: Fields,
  boundary: string | undefined,
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
