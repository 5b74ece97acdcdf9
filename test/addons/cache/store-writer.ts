/** A process that writes and reads one URL in a folder that others use too; tells how much of what it read was torn. */

import { FileStore } from "../../../src/cache.ts";

const [, , folder, own] = process.argv;
const store = new FileStore(folder!);
const url = "http://shared.test/";
let torn = 0;
let read = 0;

for (let round = 0; round < 150; round++) {
  const tag = `${own}-${round}`;
  const headers = [["Tag", tag]] as const;
  const meta = {
    url,
    status: 200,
    reason: "OK",
    version: 11,
    headers,
    vary: {},
    requestTime: 1,
    responseTime: round,
  };
  await store.put(meta, Buffer.alloc(20_000, `${tag}|`));
  if (round % 50 === 49) await store.delete(url);
  const [entry] = await store.find(url);
  const body = await entry?.body();
  if (entry === undefined || body === null || body === undefined) continue;
  read++;
  const expected = Buffer.alloc(20_000, `${entry.meta.headers[0]![1]}|`);
  if (!body.equals(expected)) torn++;
}

process.send!({ torn, read });
process.disconnect();
