/** Which protocol a connection speaks: what is offered by ALPN, and what comes of the answer (RFC 7301; RFC 9113 §3). */

import type { Protocol } from "../connection/connection.ts";
import { ProtocolError } from "../core/errors.ts";

/** What a route may speak besides HTTP/1.1. */
export interface Http2Route {
  /** HTTP/2 without asking: over plain TCP too. Else it is what TLS agrees on. */
  readonly priorKnowledge: boolean;
  /** Streams open at once on a connection, whatever the server allows. */
  readonly maxStreams: number;
  /** PING after so much silence while streams are open, in ms; 0 for none. */
  readonly pingInterval: number;
}

/** What is offered where HTTP/2 is not wanted, and to proxies. */
export const HTTP1_ONLY: readonly Protocol[] = ["http/1.1"];

const EITHER: readonly Protocol[] = ["h2", "http/1.1"];
const HTTP2_ONLY: readonly Protocol[] = ["h2"];

/** What to offer to an origin. */
export function offeredTo(http2: Http2Route | null): readonly Protocol[] {
  if (http2 === null) return HTTP1_ONLY;
  return http2.priorKnowledge ? HTTP2_ONLY : EITHER;
}

/**
 * What to speak. `agreed`: what ALPN chose, `null` for nothing or no TLS. Throws `ProtocolError` if it is not what
 * `http2` insists on.
 */
export function protocolFor(http2: Http2Route | null, agreed: string | null, hasTls: boolean): Protocol {
  if (http2 === null || (agreed !== "h2" && !http2.priorKnowledge)) return "http/1.1";
  if (agreed === "h2" || !hasTls) return "h2";
  throw new ProtocolError('The server does not agree to HTTP/2, on which http2: "prior-knowledge" insists', {
    phase: "tls",
  });
}
