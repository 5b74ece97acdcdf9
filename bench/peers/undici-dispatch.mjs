import { importPackage } from "../lib/peers.mjs";

/** Collects the body's chunks: the least that a user of `dispatch` has to write. */
class Collector {
  #resolve;
  #reject;
  #chunks = [];

  constructor(resolve, reject) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart() {}

  onResponseStart() {}

  onResponseData(_controller, chunk) {
    this.#chunks.push(chunk);
  }

  onResponseEnd() {
    this.#resolve(Buffer.concat(this.#chunks).length);
  }

  onResponseError(_controller, error) {
    this.#reject(error);
  }
}

/** undici's `dispatch`, its fastest call, to one URL that is split beforehand. */
export async function create({ url, connections, ca }) {
  const { Agent } = await importPackage("undici-dispatch");
  const agent = new Agent({ connections, pipelining: 1, connect: { ca } });
  const { origin, pathname } = new URL(url);
  return {
    request: () =>
      new Promise((resolve, reject) => {
        agent.dispatch({ origin, path: pathname, method: "GET" }, new Collector(resolve, reject));
      }),
    close: () => agent.close(),
  };
}
