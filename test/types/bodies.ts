/** Compiled with the tests, never run: fields declared as interfaces, and bytes of any kind, are accepted as they are. */

import type { PoolManager } from "urlpool";

interface Query {
  q: string;
  page?: number;
  tags?: string[];
}

/** Requests that must compile. */
export async function send(manager: PoolManager, query: Query): Promise<void> {
  await manager.request("GET", "http://a.test/", { fields: query });
  await manager.request("POST", "http://a.test/", { fields: query, encodeMultipart: false });
  await manager.request("POST", "http://a.test/", { fields: { a: undefined, b: null, c: ["x", 1, true] } });
  for (const body of [
    new DataView(new ArrayBuffer(1)),
    new Uint16Array(1),
    Buffer.alloc(1),
    new ArrayBuffer(1),
  ])
    await manager.request("POST", "http://a.test/", { body });
  await manager.request("POST", "http://a.test/", {
    fields: { file: { filename: "a", data: new Float32Array(1), contentType: "x/y" } },
    timeout: { connect: 5 },
    retries: { total: 2 },
  });
  // @ts-expect-error: a text is no list of fields.
  await manager.request("GET", "http://a.test/", { fields: "a=b" });
  // @ts-expect-error: nor is a number a body.
  await manager.request("POST", "http://a.test/", { body: 5 });
  // @ts-expect-error: the options of a Timeout are typed.
  await manager.request("POST", "http://a.test/", { timeout: { connect: "5s" } });
}
