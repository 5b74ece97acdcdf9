/** What responses are made of, and how they are read. */

import type { ConnectionInfo } from "../../connection/connection.ts";
import type { HeaderSource, HTTPHeaderDict } from "../../core/headers.ts";
import type { Retry } from "../../policy/retry.ts";
import type { Stopwatch } from "./timings.ts";

/** A 1xx response, as `onInformational` sees it. */
export interface Informational {
  status: number;
  reason: string;
  headers: HTTPHeaderDict;
}

/** What a response can be made of without a network. */
export interface HTTPResponseInit {
  body?: string | Uint8Array | null | undefined;
  headers?: HeaderSource | null | undefined;
  status?: number | undefined;
  reason?: string | undefined;
  /** 10, 11 or 20. */
  version?: number | undefined;
  method?: string | undefined;
  url?: string | undefined;
  retries?: Retry | null | undefined;
}

/** How one reading call decodes. */
export interface ReadOptions {
  /** Default: as the request asked. */
  decodeContent?: boolean | undefined;
}

/** Where a response came from, and what is known of it before its body. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly stopwatch: Stopwatch;
  readonly decodeContent: boolean;
  /** The connection it came over. */
  readonly connection: ConnectionInfo | null;
  /** Whether that had served another request. */
  readonly reused: boolean;
}

/** Facts of the connection that a response came over. */
export interface ResponseConnection extends ConnectionInfo {
  /** Whether the connection had served another request. */
  readonly reused: boolean;
}
