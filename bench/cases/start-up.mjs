import { importTime } from "../lib/samplers.mjs";

export const cases = [
  {
    name: "import",
    title: "Import of the package in a new process",
    measure: importTime,
    peers: ["urlpool", "undici", "got", "axios"],
    rounds: 21,
    targets: [{ peer: "undici", atMost: 0.5 }],
  },
];
