/** Which of a host's addresses to try first (RFC 8305 §4), and which have failed lately. */

import type { Address } from "./resolve.ts";

/** How long in ms a failure counts. */
const FAILURE_TTL = 60_000;
const MOST_FAILURES = 512;

/** Addresses with a port that could not be reached a short while ago (60 s; the newest 512). */
export class FailedAddresses {
  /** Address and port -> `clock.now()` at which the failure no longer counts; oldest first. */
  readonly #ends = new Map<string, number>();

  get size(): number {
    return this.#ends.size;
  }

  add(address: string, port: number, now: number): void {
    const key = keyOf(address, port);
    this.#ends.delete(key);
    this.#ends.set(key, now + FAILURE_TTL);
    if (this.#ends.size > MOST_FAILURES) this.#ends.delete(this.#ends.keys().next().value as string);
  }

  has(address: string, port: number, now: number): boolean {
    const key = keyOf(address, port);
    const end = this.#ends.get(key);
    if (end === undefined) return false;
    if (now < end) return true;
    this.#ends.delete(key);
    return false;
  }

  delete(address: string, port: number): void {
    this.#ends.delete(keyOf(address, port));
  }
}

/** The addresses in the order in which to try them: families in turn, and last those that have failed lately. */
export function orderAddresses(
  addresses: readonly Address[],
  port: number,
  failed: FailedAddresses,
  now: number,
): Address[] {
  const hasFailed = ({ address }: Address): boolean => failed.has(address, port, now);
  const order = interleave(addresses);
  return [...order.filter((address) => !hasFailed(address)), ...order.filter(hasFailed)];
}

/** One of the first address's family, one of the other, and so on; within a family the order stays. */
export function interleave(addresses: readonly Address[]): Address[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const order: Address[] = [];
  for (let index = 0; order.length < addresses.length; index += 1) {
    order.push(...first.slice(index, index + 1), ...second.slice(index, index + 1));
  }
  return order;
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}
