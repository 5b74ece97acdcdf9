/** The entry `urlpool/testing`. */

export type { MockAnswer, MockContent, MockFault, MockHandler, MockReply } from "./testing/answer.ts";
export { FakeClock, fakeClock } from "./testing/fake-clock.ts";
export { type HarLike, MockOrigins } from "./testing/mock-origins.ts";
export { type OriginConnection, type OriginOptions, startOrigin, TestOrigin } from "./testing/origin.ts";
export type { OriginAnswer, OriginFault } from "./testing/origin-answer.ts";
export type { MockRequest } from "./testing/request.ts";
export { type MockRoute, type Reply, type RouteMatch, UnexpectedRequestError } from "./testing/route.ts";
