/** When things happened to a request: `response.timings`. */

import type { ConnectionSetup } from "../../connection/connection.ts";

/** Times in ms. The first five say how long a phase took, the others when it was reached, counted from the call. */
export interface Timings {
  /** Waiting for a connection, the making of one included. */
  readonly queued: number;
  /** Looking up the host; `null` on a connection that was there already. */
  readonly dns: number | null;
  /** Until TCP stood; `null` on a connection that was there already. */
  readonly connect: number | null;
  /** The TLS handshake; `null` on a connection that was there already, and without TLS. */
  readonly tls: number | null;
  /** The request was handed to the socket. */
  readonly sent: number;
  /** The response head was there. */
  readonly firstByte: number;
  /** The body had ended; `null` while it comes. */
  readonly bodyEnd: number | null;
}

/**
 * Notes the moments; worked out when somebody asks. `null` is what has not come yet: a number there would be boxed by the
 * engine, in every one of thousands that wait.
 */
export class Stopwatch {
  readonly startedAt: number;
  /** Of this attempt; `null`: with the call. */
  readonly #attemptAt: number | null;
  /** The request went on the wire. */
  grantedAt: number | null = null;
  /** All of it was given to the socket. */
  sentAt: number | null = null;
  headAt: number | null = null;
  endedAt: number | null = null;
  /** Of the connection, if it was made for this request. */
  setup: ConnectionSetup | null = null;

  /** `startedAt`: of the call; `attemptAt`: of this attempt if that is not the first. */
  constructor(startedAt: number, attemptAt: number | null) {
    this.startedAt = startedAt;
    this.#attemptAt = attemptAt;
  }

  /** The attempt began. */
  get queuedAt(): number {
    return this.#attemptAt ?? this.startedAt;
  }

  timings(): Timings {
    const { setup, startedAt, queuedAt, endedAt } = this;
    const grantedAt = this.grantedAt ?? 0;
    return {
      queued: grantedAt - queuedAt,
      dns: setup?.dns ?? null,
      connect: setup?.connect ?? null,
      tls: setup?.tls ?? null,
      sent: grantedAt - startedAt,
      firstByte: (this.headAt ?? 0) - startedAt,
      bodyEnd: endedAt === null ? null : endedAt - startedAt,
    };
  }
}
