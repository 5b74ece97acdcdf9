/** Many hosts on one machine: addresses of the loopback network, and an order in which to ask them. */

const PER_BLOCK = 250;

/** The address of host 0, 1, 2, ...: 127.0.1.1 to 127.0.1.250, then 127.0.2.1 and so on. */
export function hostAddress(index) {
  return `127.0.${1 + Math.floor(index / PER_BLOCK)}.${1 + (index % PER_BLOCK)}`;
}

/** A URL of 127.0.0.1 at each of so many hosts. */
export function hostUrls(url, hosts) {
  return Array.from({ length: hosts }, (_, index) => url.replace("127.0.0.1", hostAddress(index)));
}

/**
 * Indexes below `hosts` by Zipf's law (the n-th host is asked 1/n as often as the first), as traffic to many hosts is:
 * some always, most seldom. The same at every call.
 */
export function zipfOrder(hosts, length) {
  const cumulative = [];
  for (let n = 1; n <= hosts; n++) cumulative.push((cumulative.at(-1) ?? 0) + 1 / n);
  const random = mulberry32(20260101);
  return Uint32Array.from({ length }, () => firstAbove(cumulative, random() * cumulative[hosts - 1]));
}

function firstAbove(ascending, value) {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A small generator with a seed; numbers from 0 to 1. */
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
