/** The public names of urlpool. */

export {
  type AgentRequestOptions,
  PoolAgent,
  type PoolAgentConstructor,
} from "./adapters/agent/pool-agent.ts";
export type { AgentBase } from "./adapters/agent/request-options.ts";
export type { SocketCallback } from "./adapters/agent/socket-request.ts";
export type { Fetch, FetchBase, FetchOptions } from "./adapters/fetch/create-fetch.ts";
export { type CredentialsEncoding, type MakeHeadersOptions, makeHeaders } from "./body/make-headers.ts";
export type { BodyPart } from "./body/request/encode.ts";
export {
  type FieldData,
  type FieldHeaders,
  type FieldValue,
  type FileField,
  formatMultipartHeaderParam,
  guessContentType,
  type MultipartHeaders,
  RequestField,
} from "./body/request/fields.ts";
export { encodeMultipartFormdata, type Fields, type MultipartBody } from "./body/request/multipart.ts";
export type { OnProgress, Progress } from "./body/request/progress.ts";
export type { QuerySource, QueryValue } from "./body/request/urlencode.ts";
export type { ServerSentEvent } from "./body/response/event-stream.ts";
export { type Heads, headsWithSecrets } from "./client/attempt-trace.ts";
export { connectionFromUrl, HTTPConnectionPool, HTTPSConnectionPool } from "./client/connection-pool.ts";
export {
  type CookieJarLike,
  type CookieJarOptions,
  jarForHop,
  type SameSiteContext,
} from "./client/cookies.ts";
export type { AttemptRequest, AttemptResponse, OnRequest, OnResponse } from "./client/hooks.ts";
// A star, so that the interfaces can be augmented by their users.
export * from "./client/options.ts";
export type { AgentStats, PoolStats } from "./client/pool-stats.ts";
export type { ProxyConfig, ProxyFunction, ProxyUrl, SocksOptions } from "./client/proxy.ts";
export { RequestMethods } from "./client/request-methods.ts";
export type { EventOptions, EventRecords, RecordOptions, Records } from "./client/response/records.ts";
export {
  HTTPResponse,
  type HTTPResponseInit,
  type Informational,
  type ResponseConnection,
} from "./client/response/response.ts";
export type { Timings } from "./client/response/timings.ts";
export { type Clock, systemClock, type Timer } from "./core/clock.ts";
export { VERSION } from "./core/defaults.ts";
export * from "./core/errors.ts";
export {
  type HeaderSource,
  type HeaderValue,
  type HeaderValues,
  HTTPHeaderDict,
  SKIP_HEADER,
  SKIPPABLE_HEADERS,
} from "./core/headers.ts";
export type {
  AttemptEndMessage,
  AttemptMessage,
  AttemptPhases,
  ConnectionCloseMessage,
  ConnectionErrorMessage,
  ConnectionOpenMessage,
  CookieRejectedMessage,
  PoolMessage,
  RequestEndMessage,
  RequestErrorMessage,
  RequestStartMessage,
} from "./core/trace.ts";
export { parseUrl, Url, type UrlLike, type UrlParts } from "./core/url.ts";
export { type AddressFilter, blockPrivateAddresses } from "./dial/address-filter.ts";
export type { ConnectFunction, ConnectOrigin, ConnectTarget } from "./dial/custom-dial.ts";
export type { SourceAddress } from "./dial/race.ts";
export { DnsCache } from "./dial/resolve.ts";
export { type CertReqs, disableWarnings, type TlsOptions } from "./dial/tls/settings.ts";
export {
  type DownloadOptions,
  type DownloadResult,
  downloadTo,
  type Requester,
} from "./download/download.ts";
export {
  BasePoolKey,
  defaultKeyNormalizer,
  HTTPPoolKey,
  HTTPSPoolKey,
  type PoolContext,
  type PoolKey,
  type PoolKeyClass,
  type PoolKeyFunction,
  type PoolKeyLike,
} from "./manager/pool-key.ts";
export type { PoolKwargs, PoolOverrides } from "./manager/pool-kwargs.ts";
export { PoolManager } from "./manager/pool-manager.ts";
export type { Environment } from "./manager/proxy-env.ts";
export {
  ProxyManager,
  type ProxyManagerOptions,
  proxyFromEnv,
  proxyFromUrl,
  SOCKSProxyManager,
  type SOCKSProxyManagerOptions,
} from "./manager/proxy-manager.ts";
export { RecentlyUsedContainer, type RecentlyUsedContainerOptions } from "./manager/recently-used.ts";
export { createFetch, request } from "./manager/request.ts";
export type { PoolClass } from "./manager/schemes.ts";
export type { ManagerStats } from "./manager/stats.ts";
export { Retry, type RetryHistoryEntry, type RetryLike, type RetryOptions } from "./policy/retry.ts";
export { RetryBudget, type RetryBudgetOptions } from "./policy/retry-budget.ts";
export { Timeout, type TimeoutLike, type TimeoutOptions } from "./policy/timeout.ts";
