/**
 * Whose turn is it at a host, over all machines? Each step is one script in Redis, on Redis's clock: the machines' own clocks
 * do not count. A host is asked by one URL at a time, and after each left alone for the delay. Turns are reserved as far apart as
 * the host's requests have taken, so that few come in vain.
 */

import type { Redis } from "ioredis";

/** What is held longer without a sign of life belonged to a machine that has died. */
const LEASE = 10_000;
const RENEWAL = 3000;
/** ms after which what is known about a host is forgotten. */
const REMEMBERED = 86_400_000;

const NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000);";

/**
 * KEYS: host, slots. ARGV: job, delay, lease, remembered. Gives 0 if the host is the job's now, else the time that is
 * reserved for it.
 */
const CLAIM = `${NOW}
local job, delay = ARGV[1], tonumber(ARGV[2])
local known = redis.call('HMGET', KEYS[1], 'free', 'next', 'busy', 'took')
local free, next, busy = tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or 0)
local step = delay
if delay > 0 then step = delay + math.min(delay, math.floor(tonumber(known[4] or 0))) end
local slot = tonumber(redis.call('HGET', KEYS[2], job) or 0)
if slot > now then return slot end
if now >= free and now >= busy and (slot > 0 or now >= next) then
  redis.call('HDEL', KEYS[2], job)
  if slot == 0 then redis.call('HSET', KEYS[1], 'next', now + step) end
  if delay > 0 then redis.call('HSET', KEYS[1], 'busy', now + ARGV[3], 'holder', job, 'since', now) end
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 0
end
local at = math.max(next, free, now + step)
redis.call('HSET', KEYS[1], 'next', at + step)
redis.call('HSET', KEYS[2], job, at)
redis.call('PEXPIRE', KEYS[1], at - now + ARGV[4])
return at`;

/** KEYS: host. ARGV: job, delay, rest. */
const RELEASE = `${NOW}
local known = redis.call('HMGET', KEYS[1], 'free', 'holder', 'since', 'took')
local pause = math.max(tonumber(ARGV[2]), tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'free', math.max(tonumber(known[1] or 0), now + 1 + pause))
if known[2] == ARGV[1] then
  local took = tonumber(known[4] or 0) * 0.8 + (now - known[3]) * 0.2
  redis.call('HSET', KEYS[1], 'took', took)
  redis.call('HDEL', KEYS[1], 'busy', 'holder', 'since')
end
return 0`;

/** KEYS: host. ARGV: job, lease. */
const RENEW = `${NOW}
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('HSET', KEYS[1], 'busy', now + ARGV[2]) end
return 0`;

/** The turns of all hosts of a run. */
export class Slots {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #delay: number;
  /** Hosts by the jobs that hold them here. */
  readonly #held = new Map<string, string>();
  readonly #renewal: NodeJS.Timeout;

  /** `delay`: ms between the end of a request and the next one to its host; 0: only rests are kept. */
  constructor(redis: Redis, run: string, delay: number) {
    this.#redis = redis;
    this.#prefix = `urlpool:${run}`;
    this.#delay = delay;
    this.#renewal = setInterval(() => this.#renew(), RENEWAL);
  }

  /** `null` if the host is the job's now, until it is released; else the time (ms since 1970) to come again. */
  async claim(host: string, job: string): Promise<number | null> {
    const keys = [this.#hostKey(host), `${this.#prefix}:slots`];
    const at = (await this.#redis.eval(CLAIM, 2, ...keys, job, this.#delay, LEASE, REMEMBERED)) as number;
    if (at > 0) return at;
    this.#held.set(job, host);
    return null;
  }

  /** The request is over; `rest`: ms for which the host wants to be left alone by everybody. */
  async release(host: string, job: string, rest: number): Promise<void> {
    this.#held.delete(job);
    if (this.#delay === 0 && rest === 0) return;
    await this.#redis.eval(RELEASE, 1, this.#hostKey(host), job, this.#delay, Math.ceil(rest));
  }

  /** Ends the signs of life. */
  stop(): void {
    clearInterval(this.#renewal);
  }

  #renew(): void {
    // A failure here is one of the connection, which the next step of the job meets too.
    for (const [job, host] of this.#held)
      this.#redis.eval(RENEW, 1, this.#hostKey(host), job, LEASE).catch(() => {});
  }

  #hostKey(host: string): string {
    return `${this.#prefix}:host:${host}`;
  }
}
