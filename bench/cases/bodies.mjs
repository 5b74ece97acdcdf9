import { JSON_SIZE, SMALL_BODY } from "../lib/origin.mjs";
import { peakMemory, rates } from "../lib/samplers.mjs";

const MIB = 1 << 20;
const shared = { scheme: "http", connections: 1, measure: rates, rounds: 5, peers: ["urlpool", "undici"] };

/** A case of one connection against undici. */
function body(name, title, atLeast, rest) {
  return { ...shared, name, title, targets: [{ peer: "undici", atLeast }], ...rest };
}

const download = { path: "/100m", bytes: 100 * MIB };
const upload = { path: "/upload", bytes: SMALL_BODY.length, upload: 100 * MIB, sliceMs: 2000 };

export const cases = [
  body("body-1m", "1 MiB collected, 1 connection", 2.5, { path: "/1m", bytes: MIB }),
  body("body-1m-stream", "1 MiB by async iteration, 1 connection", 2, {
    path: "/1m",
    bytes: MIB,
    mode: "stream",
  }),
  body("body-100m", "100 MiB collected, 1 connection", 1.8, { ...download, sliceMs: 2000 }),
  {
    ...shared,
    ...download,
    name: "body-100m-memory",
    title: "Peak memory of 10 times 100 MiB collected",
    measure: peakMemory,
    requests: 10,
    rounds: 3,
    targets: [{ peer: "undici", atMost: 0.7 }],
  },
  body("upload-100m", "100 MiB uploaded from memory, 1 connection", 1.5, { ...upload, mode: "upload" }),
  body("upload-100m-stream", "100 MiB uploaded from a stream, 1 connection", 1.5, {
    ...upload,
    mode: "upload-stream",
  }),
  ...["gzip", "br"].map((coding) => ({
    ...body(`json-${coding}`, `200 kB of JSON in ${coding}, decoded, 1 connection`, 1.2, {
      path: `/json-${coding}`,
      bytes: JSON_SIZE,
      mode: "decode",
    }),
    peers: ["urlpool", "undici", "undici-fetch"],
  })),
];
