/** HTTP Archive 1.2, as far as a client can fill it in. Fields with an underscore are those that browsers read besides. */

/** A name with its value. */
export interface HarField {
  name: string;
  value: string;
}

/** A cookie; the attributes are those of an answer's. */
export interface HarCookie extends HarField {
  path?: string;
  domain?: string;
  /** ISO 8601 */
  expires?: string;
  httpOnly?: boolean;
  secure?: boolean;
}

/** A body that was sent. */
export interface HarPostData {
  mimeType: string;
  text: string;
  params: HarField[];
  comment?: string;
}

/** A body that came, decoded. */
export interface HarContent {
  /** bytes */
  size: number;
  mimeType: string;
  text?: string;
  /** `"base64"` for what is no text. */
  encoding?: string;
  /** Why there is no text. */
  comment?: string;
}

/** What was asked. */
export interface HarRequest {
  method: string;
  url: string;
  httpVersion: string;
  cookies: HarCookie[];
  headers: HarField[];
  queryString: HarField[];
  postData?: HarPostData;
  /** bytes; -1 where unknown. */
  headersSize: number;
  bodySize: number;
}

/** What came; status 0 if nothing did. */
export interface HarResponse {
  status: number;
  statusText: string;
  httpVersion: string;
  cookies: HarCookie[];
  headers: HarField[];
  content: HarContent;
  redirectURL: string;
  headersSize: number;
  bodySize: number;
  /** bytes on the wire */
  _transferSize?: number;
  _error?: string;
}

/** ms; -1 for what did not apply. `ssl` lies inside `connect`. */
export interface HarTimings {
  blocked: number;
  dns: number;
  connect: number;
  ssl: number;
  send: number;
  wait: number;
  receive: number;
}

/** One try of a request. */
export interface HarEntry {
  /** ISO 8601 */
  startedDateTime: string;
  /** ms */
  time: number;
  request: HarRequest;
  response: HarResponse;
  cache: Record<string, never>;
  timings: HarTimings;
  serverIPAddress?: string;
  /** The port of the first hop. */
  connection?: string;
  /** Counts the connections of the process. */
  _connectionId?: string;
  _resourceType: string;
  comment?: string;
}

/** The archive. */
export interface Har {
  log: {
    version: "1.2";
    creator: { name: string; version: string };
    pages: never[];
    entries: HarEntry[];
  };
}
