/** A connection being made for a pool. It has no time limit of its own: those who wait for it have. */

import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { type HTTPError, NameResolutionError } from "../core/errors.ts";
import { TimerEntry } from "../core/timers.ts";
import { Link } from "./linked-list.ts";
import type { Waiter, WaiterDial } from "./waiter.ts";

/** A dial under way, as the pool's maker of connections sees it. */
export interface DialRequest {
  /** To be given to the connection at birth. */
  readonly owner: ConnectionOwner;
  /** Exchanges that its connection is expected to take; `Infinity` while that is not known. */
  readonly promise: number;
  /** Exactly one of the two is called, once, later; none after `abort`. */
  connected(connection: Connection): void;
  failed(error: Error): void;
}

/** What the pool may do to a dial. */
export interface DialHandle {
  /** Gives up; nothing is reported any more. `timeout`: what its last waiter was told, whose time was over. */
  abort(timeout?: HTTPError): void;
  /** Lets the process end although it is under way. */
  unref(): void;
  ref(): void;
  /** What to tell somebody who waited for it for `timeout` ms. */
  timeoutError(timeout: number): HTTPError;
}

/** What a dial sees of its pool. */
export interface DialOwner {
  begin(request: DialRequest): DialHandle;
  dialled(dial: PendingDial, connection: Connection): void;
  dialFailed(dial: PendingDial, error: Error): void;
  /** Nobody wants the result any more. */
  abandoned(dial: PendingDial): void;
}

/** A dial and the waiter that it was begun for, as long as that still waits. */
export class PendingDial implements DialRequest, WaiterDial {
  waiter: Waiter | null;
  readonly owner: ConnectionOwner;
  /** Exchanges that its connection is expected to take; `Infinity` while that is not known. */
  promise: number;
  /** Fires when nobody wanted it for long enough. */
  readonly orphanTimer: TimerEntry = new TimerEntry(() => this.close());
  /** Its place among what the budget may close. */
  readonly budgetLink: Link<PendingDial> = new Link<PendingDial>(this);
  readonly #pool: DialOwner;
  #handle: DialHandle | null = null;
  /** How often it went on with a look-up, and with a socket. */
  #lookups = 0;
  #sockets = 0;

  constructor(pool: DialOwner, owner: ConnectionOwner, waiter: Waiter, promise: number) {
    this.#pool = pool;
    this.owner = owner;
    this.waiter = waiter;
    this.promise = promise;
  }

  start(): void {
    const begin = (): DialHandle => this.#pool.begin(this);
    const context = this.waiter?.dialContext ?? null;
    this.#handle = context === null ? begin() : context.runInAsyncScope(begin);
  }

  connected(connection: Connection): void {
    this.#pool.dialled(this, connection);
  }

  failed(error: Error): void {
    this.#pool.dialFailed(this, error);
  }

  /** If `error` says that no file descriptor was left, and one more may be enough. */
  mayGoOn(error: Error): boolean {
    if (!isOutOfDescriptors(error)) return false;
    return isOfLookup(error) ? this.#lookups < LOOKUP_DESCRIPTORS : this.#sockets < 1;
  }

  /** Tries again after that failure. */
  goOn(error: Error): void {
    if (isOfLookup(error)) this.#lookups++;
    else this.#sockets++;
    this.start();
  }

  timeoutError(timeout: number): HTTPError {
    return this.#handle!.timeoutError(timeout);
  }

  ref(): void {
    this.#handle?.ref();
  }

  unref(): void {
    this.#handle?.unref();
  }

  /** Gives up. `timeout`: what its last waiter was told, whose time was over. */
  close(timeout?: HTTPError): void {
    this.#handle?.abort(timeout);
    this.#pool.abandoned(this);
  }
}

/** About how many file descriptors a look-up needs at once, for files and sockets of its own; a connection needs one. */
const LOOKUP_DESCRIPTORS = 3;

function isOfLookup(error: Error): boolean {
  return error instanceof NameResolutionError;
}

/** The limit of this process, or of the machine. */
const OUT_OF_DESCRIPTORS = new Set(["EMFILE", "ENFILE"]);

function isOutOfDescriptors({ cause }: Error): boolean {
  return cause instanceof Error && OUT_OF_DESCRIPTORS.has((cause as NodeJS.ErrnoException).code ?? "");
}
