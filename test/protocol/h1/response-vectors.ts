/** Responses and what must come of them; each is fed whole, byte by byte and cut at every place. */

import type { ParseOptions } from "./parse.ts";

export interface Vector extends ParseOptions {
  name: string;
  bytes: string;
  /** Final status line as `version status "reason"`. */
  head?: string;
  /** 1xx statuses before it. */
  informational?: number[];
  body?: string;
  trailers?: string;
  persistent?: boolean;
  leftover?: string;
  done?: boolean;
  error?: RegExp;
}

const OK = "HTTP/1.1 200 OK\r\n";

export const ACCEPTED: Vector[] = [
  {
    name: "Content-Length",
    bytes: `${OK}Content-Length: 5\r\n\r\nhello`,
    head: '11 200 "OK"',
    body: "hello",
    persistent: true,
  },
  { name: "length 0", bytes: `${OK}Content-Length: 0\r\n\r\n`, body: "", persistent: true },
  { name: "any case of names", bytes: `${OK}cOnTeNt-LeNgTh:2\r\n\r\nok`, body: "ok", persistent: true },
  {
    name: "white space around a value",
    bytes: `${OK}Content-Length: \t 2 \t\r\n\r\nok`,
    body: "ok",
    persistent: true,
  },
  {
    name: "equal lengths in one field (RFC 9110 8.6)",
    bytes: `${OK}Content-Length: 5, 5\r\n\r\nhello`,
    body: "hello",
    persistent: true,
  },
  {
    name: "equal lengths in two fields",
    bytes: `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
    body: "hello",
    persistent: true,
  },
  {
    name: "a reply glued behind",
    bytes: `${OK}Content-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n`,
    body: "ok",
    leftover: "HTTP/1.1 500 No\r\n",
    persistent: true,
  },
  { name: "empty reason", bytes: "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", head: '11 200 ""' },
  { name: "no reason at all", bytes: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", head: '11 200 ""' },
  {
    name: "obs-text in the reason",
    bytes: "HTTP/1.1 404 Pas trouv\xe9\r\nContent-Length: 0\r\n\r\n",
    head: '11 404 "Pas trouv\xe9"',
  },
  { name: "unknown status", bytes: "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", head: '11 999 "Odd"' },
  {
    name: "another minor version",
    bytes: "HTTP/1.7 200 OK\r\nContent-Length: 0\r\n\r\n",
    head: '11 200 "OK"',
    persistent: true,
  },
  {
    name: "chunked",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
    body: "hello world",
    persistent: true,
  },
  {
    name: "chunked in any case",
    bytes: `${OK}transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n`,
    body: "",
    persistent: true,
  },
  {
    name: "hexadecimal sizes in any case",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n`,
    body: "0123456789abcdefghij",
  },
  {
    name: "leading zeros of a size",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n0002\r\nok\r\n000\r\n\r\n`,
    body: "ok",
  },
  {
    name: "chunk extensions (RFC 9112 7.1.1)",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n2;a=b;c="d e"\r\nok\r\n0 ;last\r\n\r\n`,
    body: "ok",
  },
  {
    name: "trailers (RFC 9112 7.1.2)",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nDigest: x\r\nB:y\r\n\r\n`,
    trailers: "Digest: x\r\nB:y\r\n\r\n",
    body: "",
  },
  {
    name: "bytes behind the last chunk",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore`,
    leftover: "more",
    body: "",
  },
  {
    name: "a coding under chunked",
    bytes: `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    body: "",
  },
  { name: "until close", bytes: `${OK}X: y\r\n\r\nhello`, eof: true, body: "hello", persistent: false },
  { name: "until close, empty", bytes: `${OK}\r\n`, eof: true, body: "", persistent: false },
  { name: "until close, not closed yet", bytes: `${OK}\r\nhello`, body: "hello", done: false },
  {
    name: "chunked on two lines counts once",
    bytes: `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    body: "ok",
    persistent: true,
  },
  {
    name: "identity is no coding (RFC 2616 3.6)",
    bytes: `${OK}Transfer-Encoding: identity\r\n\r\nok`,
    body: "ok",
    done: false,
  },
  {
    name: "identity before chunked is no coding either",
    bytes: `${OK}Transfer-Encoding: identity, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    body: "ok",
  },
  {
    name: "Transfer-Encoding without chunked: until close (RFC 9112 6.3)",
    bytes: `${OK}Transfer-Encoding: gzip\r\n\r\nabc`,
    eof: true,
    body: "abc",
    persistent: false,
  },
  {
    name: "HEAD with a length",
    bytes: `${OK}Content-Length: 500\r\n\r\n`,
    bodiless: true,
    body: "",
    persistent: true,
  },
  {
    name: "HEAD with chunked",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n`,
    bodiless: true,
    body: "",
    persistent: true,
  },
  { name: "HEAD with neither", bytes: `${OK}\r\n`, bodiless: true, body: "", persistent: true },
  {
    name: "204 with a length has no body",
    bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
    body: "",
    leftover: "abc",
  },
  {
    name: "304 with a length has no body",
    bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
    body: "",
    persistent: true,
  },
  {
    name: "100 before the answer",
    bytes: `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
    informational: [100],
    body: "ok",
    persistent: true,
  },
  {
    name: "102 and 103 before the answer",
    bytes: `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
    informational: [102, 103],
    body: "ok",
  },
  {
    name: "101 ends HTTP",
    bytes: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw",
    body: "",
    leftover: "raw",
    persistent: false,
  },
  {
    name: "Connection: close",
    bytes: `${OK}Connection: close\r\nContent-Length: 0\r\n\r\n`,
    persistent: false,
  },
  {
    name: "Connection: close among others",
    bytes: `${OK}Connection: foo, Close\r\nContent-Length: 0\r\n\r\n`,
    persistent: false,
  },
  {
    name: "Connection in two fields",
    bytes: `${OK}Connection: foo\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    persistent: false,
  },
  {
    name: "HTTP/1.0",
    bytes: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    head: '10 200 "OK"',
    persistent: false,
  },
  {
    name: "HTTP/1.0 keep-alive",
    bytes: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
    persistent: true,
  },
  {
    name: "HTTP/1.0 with chunked is read but not trusted (RFC 9112 6.1)",
    bytes: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    body: "",
    persistent: false,
  },
  {
    name: "obs-fold reads as a space (RFC 9112 5.2)",
    bytes: `${OK}Content-Length:\r\n  5\r\n\r\nhello`,
    body: "hello",
    persistent: true,
  },
  { name: "empty value", bytes: `${OK}X:\r\nContent-Length: 0\r\n\r\n`, persistent: true },
  { name: "obs-text in a value", bytes: `${OK}X: \xff\xfe\r\nContent-Length: 0\r\n\r\n`, persistent: true },
];

const REFUSED_HEADS: [name: string, bytes: string, error: RegExp][] = [
  ["HTTP/0.9", "hello world, no head", /does not start with/],
  ["ICY", "ICY 200 OK\r\n\r\n", /does not start with/],
  ["frames of HTTP/2", "\0\0\x12\x04\0\0\0\0\0", /does not start with .* seems to speak only HTTP\/2/],
  ["a TLS alert", "\x15\x03\x01\0\x02\x02\x16", /does not start with .* begin with https:/],
  ["HTTP/2 in plain", "HTTP/2.0 200 OK\r\n\r\n", /does not start with/],
  ["an empty line first", `\r\n${OK}\r\n`, /does not start with/],
  ["a lower-case protocol", "http/1.1 200 OK\r\n\r\n", /does not start with/],
  ["two spaces", "HTTP/1.1  200 OK\r\n\r\n", /does not start with/],
  ["status 099", "HTTP/1.1 099 No\r\n\r\n", /does not start with/],
  ["status of letters", "HTTP/1.1 2OO OK\r\n\r\n", /does not start with/],
  ["status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", /status line is malformed/],
  ["bare LF after the status line", "HTTP/1.1 200 OK\nX: y\n\n", /bare LF/],
  ["bare LF after a field", `${OK}X: y\nZ: w\r\n\r\n`, /bare LF/],
  ["bare LF as the empty line", `${OK}X: y\r\n\n`, /bare LF/],
  ["bare CR in a value", `${OK}X: y\rZ: w\r\n\r\n`, /bare CR/],
  ["bare CR as the empty line", `${OK}X: y\r\n\rab\r\n\r\n`, /bare CR/],
  ["NUL in a value", `${OK}X: a\0b\r\n\r\n`, /NUL/],
  ["control character in a value", `${OK}X: a\x01b\r\n\r\n`, /control character/],
  ["DEL in a value", `${OK}X: a\x7fb\r\n\r\n`, /control character/],
  ["control character in the reason", "HTTP/1.1 200 O\x02K\r\n\r\n", /control character/],
  [
    "white space before the colon (RFC 9112 5.1)",
    `${OK}Content-Length : 5\r\n\r\nhello`,
    /white space between/,
  ],
  ["white space before the first field", `${OK} X: y\r\n\r\n`, /white space before the first/],
  ["no colon", `${OK}nonsense\r\n\r\n`, /without a colon/],
  ["empty name", `${OK}: y\r\n\r\n`, /empty field name/],
  ["invalid character in a name", `${OK}X@Y: z\r\n\r\n`, /invalid character in a field name/],
  ["two different lengths", `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, /unmatching/],
  ["two different lengths in one field", `${OK}Content-Length: 5, 6\r\n\r\nhello!`, /unmatching/],
  ["negative length", `${OK}Content-Length: -5\r\n\r\n`, /invalid Content-Length/],
  ["signed length", `${OK}Content-Length: +5\r\n\r\nhello`, /invalid Content-Length/],
  ["length with underscore", `${OK}Content-Length: 1_0\r\n\r\n0123456789`, /invalid Content-Length/],
  ["hexadecimal length", `${OK}Content-Length: 0x5\r\n\r\nhello`, /invalid Content-Length/],
  ["empty length", `${OK}Content-Length:\r\n\r\n`, /invalid Content-Length/],
  ["length past 2^53", `${OK}Content-Length: 9007199254740993\r\n\r\n`, /invalid Content-Length/],
  [
    "length beside chunked (RFC 9112 6.3)",
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    /beside/,
  ],
  ["unknown coding", `${OK}Transfer-Encoding: rot13, chunked\r\n\r\n0\r\n\r\n`, /unsupported/],
  ["chunked twice", `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, /unsupported/],
  ["chunked not last", `${OK}Transfer-Encoding: chunked, gzip\r\n\r\n`, /unsupported/],
];

const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const REFUSED_CHUNKS: [name: string, body: string, error: RegExp][] = [
  ["0x before the size", "0x5\r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["sign before the size", "+5\r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["minus before the size", "-5\r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["underscore in the size", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["blank before the size", " 5\r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["blank behind the size", "5 \r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["no size", "\r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["only an extension", ";a=b\r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["letters behind the size", "5g\r\nhello\r\n0\r\n\r\n", /InvalidChunkLength/],
  ["size past 2^53", "20000000000001\r\n", /InvalidChunkLength/],
  ["bare LF behind the size", "5\nhello\r\n0\r\n\r\n", /bare LF/],
  ["bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", /bare LF/],
  ["bare CR behind the size", "5\rhello\r\n0\r\n\r\n", /bare CR/],
  ["NUL in an extension", "5;\0\r\nhello\r\n0\r\n\r\n", /control character/],
  ["data longer than its size", "5\r\nhello!\r\n0\r\n\r\n", /not followed by CRLF/],
  ["LF alone behind the data", "5\r\nhello\n0\r\n\r\n", /not followed by CRLF/],
  ["CR and something else behind the data", "5\r\nhello\rX0\r\n\r\n", /not followed by CRLF/],
  ["trailer without a colon", "0\r\nnonsense\r\n\r\n", /without a colon/],
  ["bare LF in the trailers", "0\r\nA: b\n\r\n", /bare LF/],
  [`extension of 20 kB`, `5;${"x".repeat(20_000)}`, /longer than/],
];

export const REFUSED: Vector[] = [
  ...REFUSED_HEADS.map(([name, bytes, error]) => ({ name, bytes, error })),
  ...REFUSED_CHUNKS.map(([name, body, error]) => ({ name: `chunk: ${name}`, bytes: CHUNKED + body, error })),
];

export const TRUNCATED: Vector[] = [
  { name: "nothing at all", bytes: "", eof: true, error: /closed connection without response/ },
  { name: "in the status line", bytes: "HTTP/1.", eof: true, error: /in the middle of the response head/ },
  { name: "in a field", bytes: `${OK}Content-Le`, eof: true, error: /in the middle of the response head/ },
  {
    name: "before the empty line",
    bytes: `${OK}Content-Length: 5\r\n`,
    eof: true,
    error: /in the middle of the response head/,
  },
  {
    name: "after a 1xx",
    bytes: "HTTP/1.1 100 Continue\r\n\r\n",
    eof: true,
    error: /in the middle of the response head/,
  },
  {
    name: "in the body",
    bytes: `${OK}Content-Length: 5\r\n\r\nhel`,
    eof: true,
    error: /IncompleteRead\(3 bytes read, 2 more expected\)/,
  },
  { name: "in a chunk", bytes: `${CHUNKED}5\r\nhel`, eof: true, error: /IncompleteRead\(3 bytes read\)/ },
  {
    name: "between chunks",
    bytes: `${CHUNKED}5\r\nhello\r\n`,
    eof: true,
    error: /IncompleteRead\(5 bytes read\)/,
  },
  {
    name: "before the end of the trailers",
    bytes: `${CHUNKED}0\r\nX: y\r\n`,
    eof: true,
    error: /IncompleteRead/,
  },
];
