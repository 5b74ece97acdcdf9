/** What requests bring: so many bytes, at once or in parts, JSON, and header fields. */

const PART = 65_536;

/** Bytes of memory that every upload of a peer sends. */
export function uploadBytes(size) {
  return Buffer.alloc(size, "urlpool ");
}

/** The same in parts, as they would come from elsewhere. */
export async function* uploadParts(bytes) {
  for (let at = 0; at < bytes.length; at += PART) yield bytes.subarray(at, at + PART);
}

/** The length of everything an async iterable gives. */
export async function lengthOf(parts) {
  let length = 0;
  for await (const part of parts) length += part.length;
  return length;
}

/** 1 KiB as JSON. */
export const JSON_BODY = { id: 12_345, name: "benchmark", tags: ["a", "b", "c"], text: "x".repeat(962) };

/** Header fields as an application gives them: made anew for each request. */
export function callersFields() {
  return {
    accept: "application/json",
    authorization: "Bearer 0123456789abcdef0123456789abcdef",
    "x-request-id": "7d4c1f0e-97a6-4a53-9f1b-0c9a7f3be012",
  };
}
