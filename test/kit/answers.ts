/** Answers as bytes on the wire, for servers that tests script by hand. */

/** A 200 with Content-Length. */
export function ok(body = "", ...fields: string[]): string {
  return answer(200, body, ...fields);
}

/** Any status with Content-Length; `fields` are whole lines such as `Location: /x`. */
export function answer(status: number, body = "", ...fields: string[]): string {
  const lines = [...fields, `Content-Length: ${Buffer.byteLength(body)}`].map((line) => `${line}\r\n`);
  return `HTTP/1.1 ${status} X\r\n${lines.join("")}\r\n${body}`;
}
