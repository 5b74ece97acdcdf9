import { JSON_SIZE, SMALL_BODY } from "../lib/origin.mjs";
import { peakMemory, rates } from "../lib/samplers.mjs";

const MIB = 1 << 20;
/** The limits of collecting: memory that is new for each body, and memory that is used again. */
const SOCKETS = ["socket-fresh", "socket-reused"];
const shared = {
  scheme: "http",
  connections: 1,
  measure: rates,
  // What is measured is memory and the kernel more than compiled code.
  warmUpMs: 800,
  rounds: 6,
  peers: ["urlpool", "undici", ...SOCKETS],
};

/** A case of one connection against undici. */
function body(name, title, atLeast, rest) {
  return { ...shared, name, title, targets: [{ peer: "undici", atLeast }], ...rest };
}

const oneMiB = { path: "/1m", bytes: MIB };
const download = { path: "/100m", bytes: 100 * MIB, sliceMs: 1000 };
const upload = {
  path: "/upload",
  bytes: SMALL_BODY.length,
  upload: 100 * MIB,
  sliceMs: 1000,
  peers: ["urlpool", "undici", "socket"],
};

export const cases = [
  body("body-1m", "1 MiB collected, 1 connection", [3, 2.3], oneMiB),
  body("body-1m-stream", "1 MiB by async iteration, 1 connection", [2.8, 1.9], { ...oneMiB, mode: "stream" }),
  body("body-1m-into", "1 MiB into the caller's buffer (undici: collected), 1 connection", [5, 4], {
    ...oneMiB,
    mode: "into",
  }),
  body("body-100m", "100 MiB collected, 1 connection", [1.8, 1.6], download),
  body("body-100m-into", "100 MiB into the caller's buffer (undici: collected), 1 connection", [4, 4], {
    ...download,
    mode: "into",
  }),
  {
    ...shared,
    ...download,
    name: "body-100m-memory",
    title: "Peak memory of 10 times 100 MiB collected",
    measure: peakMemory,
    requests: 10,
    rounds: 3,
    peers: ["urlpool", "undici", "socket-fresh"],
    targets: [{ peer: "undici", atMost: [0.55, 0.5] }],
  },
  {
    ...shared,
    ...upload,
    name: "upload-100m",
    title: "100 MiB uploaded from memory, 1 connection",
    mode: "upload",
    targets: [{ peer: "socket", atLeast: [0.93, 0.95] }],
  },
  {
    ...shared,
    ...upload,
    name: "upload-100m-stream",
    title: "100 MiB uploaded from a stream, 1 connection",
    mode: "upload-stream",
    // At most 0.75 of the peer's.
    targets: [{ peer: "undici", of: "cpu", atLeast: 1.33 }],
  },
  ...["gzip", "br"].map((coding) => ({
    ...body(`json-${coding}`, `200 kB of JSON in ${coding}, decoded, 1 connection`, 1.2, {
      path: `/json-${coding}`,
      bytes: JSON_SIZE,
      mode: "decode",
    }),
    peers: ["urlpool", "undici", "undici-fetch"],
  })),
];
