/** What `urlpool:attempt:end` tells of an attempt; made only when somebody listens. Credentials are taken out. */

import type { ConnectionInfo } from "../connection/connection.ts";
import { type AttemptEndMessage, type AttemptPhases, trace } from "../core/trace.ts";
import { writeHead } from "../protocol/h1/request-writer.ts";
import type { RequestHead } from "../protocol/request-head.ts";
import type { ResponseHead } from "../protocol/response-head.ts";
import type { Stopwatch } from "./response/timings.ts";

/** All that is known at the end of an attempt. */
export interface EndedAttempt {
  readonly request: number;
  readonly attempt: number;
  readonly url: string;
  readonly head: RequestHead;
  readonly connection: ConnectionInfo | null;
  readonly reused: boolean;
  readonly responseHead: ResponseHead | null;
  /** Bytes of the two bodies as they went over the wire. */
  readonly sent: number;
  readonly received: number;
  readonly stopwatch: Stopwatch;
  /** `clock.now()` */
  readonly now: number;
  /** `null` if it went well. */
  readonly error: unknown;
}

/** Fields that hold credentials; their values are not shown. */
const CREDENTIALS = /^((?:proxy-)?authorization|cookie|set-cookie)([ \t]*:).*$/gim;

/** Credentials in a URL, such as that of a Location. */
const USERINFO = /(:\/\/)[^\s/?#@]*@/g;

/** The two heads of a try; `null` for one that was not sent, or did not come. */
export type Heads = Pick<AttemptEndMessage, "requestHead" | "responseHead">;

const unredacted = new WeakMap<AttemptEndMessage, Heads>();

/**
 * The heads that a message of `urlpool:attempt:end` is about, credentials included. The message itself does not lead there:
 * who prints or sends it shows none.
 */
export function headsWithSecrets(message: AttemptEndMessage): Heads {
  return unredacted.get(message) ?? message;
}

/** Publishes the message. */
export function publishAttemptEnd(attempt: EndedAttempt): void {
  const { head, connection, responseHead } = attempt;
  const requestHead = connection === null ? "" : writeHead(head);
  const answered = responseHead === null ? "" : responseHead.toString();
  const message: AttemptEndMessage = {
    request: attempt.request,
    attempt: attempt.attempt,
    method: head.method,
    url: attempt.url,
    connection: connection?.id ?? null,
    route: connection?.route ?? null,
    protocol: connection?.protocol ?? null,
    address: connection?.address ?? null,
    reused: attempt.reused,
    requestHead: redacted(requestHead),
    requestHeadBytes: requestHead.length,
    requestBytes: requestHead === "" ? 0 : requestHead.length + attempt.sent,
    responseHead: redacted(answered),
    responseHeadBytes: answered.length,
    status: responseHead?.status ?? null,
    bytes: attempt.received,
    phases: phasesOf(attempt.stopwatch, attempt.now),
    error: attempt.error,
  };
  unredacted.set(message, { requestHead: requestHead || null, responseHead: answered || null });
  trace.attemptEnd.publish(message);
}

function redacted(head: string): string | null {
  return head === "" ? null : head.replace(CREDENTIALS, "$1$2 ***").replace(USERINFO, "$1");
}

/** Each in ms; `null` for one that was not reached, or not needed. */
function phasesOf(watch: Stopwatch, now: number): AttemptPhases {
  const { setup, queuedAt, grantedAt, sentAt, headAt } = watch;
  const end = watch.endedAt ?? now;
  const made = setup === null ? 0 : setup.dns + setup.connect + (setup.tls ?? 0);
  // An answer may come before the request was sent.
  const sent = Math.min(sentAt ?? end, headAt ?? end);
  return {
    queued: Math.max(0, (grantedAt ?? end) - queuedAt - made),
    dns: setup?.dns ?? null,
    connect: setup?.connect ?? null,
    tls: setup?.tls ?? null,
    send: grantedAt === null ? null : sent - grantedAt,
    wait: grantedAt === null ? null : (headAt ?? end) - sent,
    receive: headAt === null ? null : end - headAt,
  };
}
