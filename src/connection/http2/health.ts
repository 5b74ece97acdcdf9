/**
 * Whether the other end is still there: our SETTINGS are acknowledged in time, PING is answered, and streams may be
 * opened.
 *
 * A read timeout without a sign of life makes a connection suspect until the next one. PING is sent then, or after
 * `pingInterval` of silence, and never without need: servers count them.
 */

import { type HTTPError, ProtocolError } from "../../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../../core/timers.ts";
import { SETTINGS_TIMEOUT } from "../../protocol/h2/frames.ts";

/** The server must acknowledge our settings in this time, in ms (RFC 9113 §6.5.3). */
const SETTINGS_PATIENCE = 10_000;

/** How long a server may let us open no stream at all, in ms: that is meant to pass (§5.1.2). */
const CLOSED_PATIENCE = 10_000;

/** How long an answer to PING is waited for, in ms. */
const PING_PATIENCE = 1000;

/** The connection that is watched. */
export interface Patient {
  /** Whether streams are open. */
  readonly isBusy: boolean;
  readonly isAcknowledged: boolean;
  ping(): void;
  /** It takes no new streams, and ends with the last one. */
  retire(): void;
  /** It is dead; `code` is for GOAWAY. */
  given(error: HTTPError, code: number): void;
}

/** Watches one connection. */
export class Health {
  /** What made the connection suspect; `null` if it is not. */
  suspicion: HTTPError | null = null;
  readonly #timers: CoarseTimers;
  readonly #patient: Patient;
  readonly #interval: number;
  readonly #settingsTimer = new TimerEntry(() => this.#onNoSettings());
  readonly #pongTimer = new TimerEntry(() => this.#onNoPong());
  readonly #quietTimer = new TimerEntry(() => this.#onQuiet());
  readonly #closedTimer = new TimerEntry(() => this.#patient.retire());

  /** `interval`: PING after so much silence while streams are open, in ms; 0 for never. */
  constructor(timers: CoarseTimers, patient: Patient, interval: number) {
    this.#timers = timers;
    this.#patient = patient;
    this.#interval = interval;
    timers.arm(this.#settingsTimer, SETTINGS_PATIENCE);
    this.#waitQuietly();
  }

  /** Something came. */
  heard(): void {
    this.suspicion = null;
    if (this.#pongTimer.armed) this.#pongTimer.disarm();
    this.#waitQuietly();
  }

  /** Nothing came for too long; `error` is what that was to a stream. */
  suspect(error: HTTPError): void {
    if (this.suspicion !== null) return;
    this.suspicion = error;
    this.ask();
  }

  /** The server lets us open so many streams. */
  allowed(streams: number): void {
    if (streams > 0) this.#closedTimer.disarm();
    else if (!this.#closedTimer.armed) this.#timers.arm(this.#closedTimer, CLOSED_PATIENCE);
  }

  stop(): void {
    const timers = [this.#settingsTimer, this.#pongTimer, this.#quietTimer, this.#closedTimer];
    for (const timer of timers) timer.disarm();
  }

  /** A sign of life is needed; one question at a time. */
  ask(): void {
    if (this.#pongTimer.armed) return;
    this.#patient.ping();
    this.#timers.arm(this.#pongTimer, PING_PATIENCE);
  }

  #waitQuietly(): void {
    if (this.#interval > 0) this.#timers.arm(this.#quietTimer, this.#interval);
  }

  #onQuiet(): void {
    if (this.#patient.isBusy) this.ask();
    this.#waitQuietly();
  }

  #onNoPong(): void {
    const cause = this.suspicion;
    const options = cause === null ? {} : { cause };
    const error = new ProtocolError("The connection does not answer any more: no reply to PING", options);
    this.#patient.given(error, 0);
  }

  #onNoSettings(): void {
    if (this.#patient.isAcknowledged) return;
    const error = new ProtocolError(
      `The server did not acknowledge our SETTINGS within ${SETTINGS_PATIENCE} ms`,
      { phase: "head", h2Code: SETTINGS_TIMEOUT },
    );
    this.#patient.given(error, SETTINGS_TIMEOUT);
  }
}
