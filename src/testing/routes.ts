/** The routes of a test, the requests that came, and what is wrong with them. */

import type { MockAnswer } from "./answer.ts";
import type { MockRequest } from "./request.ts";
import { MockRoute, type Reply, type RouteMatch, type UnexpectedRequestError, unexpected } from "./route.ts";

/** Routes in the order in which they are asked. */
export class Routes<Answer extends object = MockAnswer> {
  /** What came, in its order. */
  readonly requests: MockRequest[] = [];
  readonly #routes: MockRoute<Answer>[] = [];
  readonly #unexpected: UnexpectedRequestError[] = [];

  /** One more, behind the others. */
  add(match: RouteMatch, reply: Reply<Answer>): MockRoute<Answer> {
    const route = new MockRoute<Answer>(match, reply);
    this.#routes.push(route);
    return route;
  }

  /** The answer of the first route that fits. Rejects with `UnexpectedRequestError`. */
  async take(request: MockRequest): Promise<Answer> {
    this.requests.push(request);
    const route = this.#routes.find((one) => one.differences(request).length === 0);
    if (route !== undefined) return route.answer(request);
    const error = unexpected(request, this.#routes);
    this.#unexpected.push(error);
    throw error;
  }

  /** Throws the first unexpected request, or an error that names the routes that were not used up. */
  verify(): void {
    if (this.#unexpected[0] !== undefined) throw this.#unexpected[0];
    const left = this.#routes.filter((route) => !route.complete);
    if (left.length > 0) throw new Error(`Routes that were not used up: ${left.join("; ")}`);
  }
}
