/** What is uploaded: so many bytes, at once or in parts. */

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
