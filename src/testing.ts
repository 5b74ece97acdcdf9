/** The entry `urlpool/testing`. */

export type { MockAnswer, MockFault, MockHandler, MockReply } from "./testing/answer.ts";
export { FakeClock, fakeClock } from "./testing/fake-clock.ts";
export { type HarLike, MockOrigins } from "./testing/mock-origins.ts";
export type { MockRequest } from "./testing/request.ts";
export { type MockRoute, type RouteMatch, UnexpectedRequestError } from "./testing/route.ts";
