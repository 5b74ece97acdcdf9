/** The pages of the site, in the order of its sidebar: file without `.md`, title. */

export const GUIDES = [
  ["requests", "Requests"],
  ["responses", "Responses and streaming"],
  ["errors", "Errors"],
  ["timeouts", "Timeouts"],
  ["retries", "Retries"],
  ["pools", "Pools and keys"],
  ["proxies", "Proxies"],
  ["no-proxy", "NO_PROXY"],
  ["tls", "TLS"],
  ["http2", "HTTP/2"],
  ["fetch", "fetch"],
  ["agent", "Agent"],
  ["cache", "Cache"],
  ["cookies", "Cookies"],
  ["har", "HTTP Archives"],
  ["diagnostics", "Diagnostics"],
  ["testing", "Testing and mocking"],
  ["performance", "Performance"],
  ["platforms", "Platforms"],
  ["strictness", "What is refused"],
  ["migrating-from-urllib3", "Coming from urllib3"],
  ["migrating", "Coming from other clients"],
];

export const DESIGN = [
  ["pool", "Pool and line"],
  ["keys", "Keys and the LRU"],
  ["dial", "Dial and race"],
  ["retries", "Retries and resends"],
  ["http1", "HTTP/1 parsing"],
  ["http2", "HTTP/2 engine"],
  ["decoding", "Body decoding"],
  ["timeouts", "Timeouts"],
  ["proxies", "Proxies"],
  ["downloads", "Downloads"],
  ["cache", "Cache"],
  ["queue", "Queue"],
];

/** From the repository's folder. */
export const PROJECT = [
  ["README", "What urlpool is"],
  ["cli/README", "The command"],
  ["bench/README", "Benchmarks"],
  ["CONTRIBUTING", "Contributing"],
  ["SECURITY", "Security"],
  ["CHANGELOG", "Changes"],
];
