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

/** Notes the moments; worked out when somebody asks. */
export class Stopwatch {
  readonly startedAt: number;
  readonly queuedAt: number;
  /** The request went on the wire. */
  grantedAt: number = 0;
  /** All of it was given to the socket. */
  sentAt: number = 0;
  headAt: number = 0;
  endedAt: number = 0;
  /** Of the connection, if it was made for this request. */
  setup: ConnectionSetup | null = null;

  /** `startedAt`: of the call; `queuedAt`: of this attempt. */
  constructor(startedAt: number, queuedAt: number) {
    this.startedAt = startedAt;
    this.queuedAt = queuedAt;
  }

  timings(): Timings {
    const { setup } = this;
    return {
      queued: this.grantedAt - this.queuedAt,
      dns: setup?.dns ?? null,
      connect: setup?.connect ?? null,
      tls: setup?.tls ?? null,
      sent: this.grantedAt - this.startedAt,
      firstByte: this.headAt - this.startedAt,
      bodyEnd: this.endedAt === 0 ? null : this.endedAt - this.startedAt,
    };
  }
}
