import { readFileSync } from "node:fs";

/**
 * Counts the completed requests of a slice: only those within a window that opens once every connection had the time to
 * be used (twice as many responses as connections) plus `ramp` ms, and that closes `slice` ms later. So connections that
 * idled away since the last slice are opened anew outside of it.
 */
export class Meter {
  #completed = 0;
  #opensAt = Number.POSITIVE_INFINITY;
  #closesAt = Number.POSITIVE_INFINITY;
  #atOpen;
  #atClose;

  constructor({ connections, bytes, ramp, slice }) {
    this.warmUp = 2 * connections;
    this.bytes = bytes;
    this.ramp = ramp;
    this.slice = slice;
  }

  /** Takes a response's body size; false when the slice is over. */
  goOn = (bytes) => {
    if (bytes !== this.bytes) throw new Error(`a body of ${bytes} bytes, not ${this.bytes}`);
    this.#completed += 1;
    const now = performance.now();
    if (now < this.#opensAt) this.#stillClosed(now);
    else if (this.#atOpen === undefined) this.#open(now);
    else if (now >= this.#closesAt) this.#atClose ??= this.#snapshot(now);
    return this.#atClose === undefined;
  };

  #stillClosed(now) {
    if (this.#completed === this.warmUp) this.#opensAt = now + this.ramp;
  }

  #open(now) {
    this.#atOpen = this.#snapshot(now);
    this.#closesAt = now + this.slice;
  }

  #snapshot(time) {
    return { time, completed: this.#completed, cpu: process.cpuUsage(), waited: waitedMs() };
  }

  /** Requests per second, and CPU time of this process (all threads) per request in microseconds, and the kernel's part of it. */
  result() {
    const requests = this.#atClose.completed - this.#atOpen.completed;
    const cpu = (mode) => (this.#atClose.cpu[mode] - this.#atOpen.cpu[mode]) / requests;
    const time = this.#atClose.time - this.#atOpen.time;
    return {
      value: (requests / time) * 1000,
      waitPercent: ((this.#atClose.waited - this.#atOpen.waited) / time) * 100,
      cpuMicros: cpu("user") + cpu("system"),
      systemMicros: cpu("system"),
    };
  }
}

/** How long the main thread of this process could have run and got no core, in ms: others had it. */
function waitedMs() {
  try {
    return Number(readFileSync("/proc/self/schedstat", "latin1").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}
