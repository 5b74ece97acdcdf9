/** Origins without sockets, below the exchange: retries, redirects, decoding and timeouts run for real. */

import type { Connection, Exchange } from "../connection/connection.ts";
import {
  type ConnectTarget,
  type Fetch,
  InvalidArgumentError,
  type PoolAgent,
  PoolManager,
  type PoolManagerOptions,
  systemClock,
} from "../index.ts";
import type { MockAnswer } from "./answer.ts";
import { MockAgentBase } from "./mock-agent.ts";
import { hasNoBody, MockConnection } from "./mock-connection.ts";
import { MockRequest } from "./request.ts";
import type { MockRoute, Reply, RouteMatch } from "./route.ts";
import { Routes } from "./routes.ts";

/** What {@link MockOrigins.load} reads of an HTTP Archive. */
export interface HarLike {
  readonly log: {
    readonly entries: readonly {
      readonly request: { readonly method: string; readonly url: string };
      readonly response: {
        readonly status: number;
        readonly headers: readonly { readonly name: string; readonly value: string }[];
        readonly content: { readonly text?: string; readonly encoding?: string };
      };
    }[];
  };
}

/** Origins of a test of its own: nothing is global, nothing has to be restored. */
export class MockOrigins {
  readonly #routes = new Routes();
  readonly #managers: PoolManager[] = [];
  readonly #options: PoolManagerOptions;
  #connections = 0;
  #fetch: Fetch | null = null;
  #agent: PoolAgent | null = null;

  /** `options`: of all managers that it makes, such as `{ clock, retries }`. */
  constructor(options: PoolManagerOptions = {}) {
    this.#options = options;
  }

  /**
   * A test with origins of its own: makes a function for a test runner, which calls `run` with new `MockOrigins`, verifies
   * them if it has not failed, and closes their managers.
   */
  static test<Args extends unknown[]>(
    run: (mock: MockOrigins, ...args: Args) => unknown,
    options?: PoolManagerOptions,
  ): (...args: Args) => Promise<void> {
    return async (...args) => {
      const mock = new MockOrigins(options);
      try {
        await run(mock, ...args);
        mock.verify();
      } finally {
        mock.#clear();
      }
    };
  }

  /** What came, in its order; each try of a request is one. */
  get requests(): readonly MockRequest[] {
    return this.#routes.requests;
  }

  /** Expects what `match` says. A list answers in turn, and its last one stays. The first route that fits answers. */
  route(match: RouteMatch, reply: Reply): MockRoute {
    return this.#routes.add(match, reply);
  }

  /** Expects GET of `url`, such as `https://api.test/users/:id`. */
  get(url: string, reply: Reply): MockRoute {
    return this.#expect("GET", url, reply);
  }

  /** Expects POST to `url`. */
  post(url: string, reply: Reply): MockRoute {
    return this.#expect("POST", url, reply);
  }

  /** A manager whose requests come here, with `options` over those of the origins. The end of `using` closes it. */
  manager(options: PoolManagerOptions = {}): PoolManager {
    const manager = new PoolManager({ ...this.#options, ...options, connect: this.connect });
    this.#managers.push(manager);
    return manager;
  }

  /** The platform's `fetch` over a manager of its own; always the same function. */
  get fetch(): Fetch {
    this.#fetch ??= this.manager().fetch;
    return this.#fetch;
  }

  /**
   * An agent for node:http, node:https and the clients that take one (`agent`, `httpAgent`, `httpsAgent`); always the same.
   * node:http itself writes the requests and reads the answers.
   */
  get agent(): PoolAgent {
    this.#agent ??= new MockAgentBase(
      this.#options.clock ?? systemClock,
      () => ++this.#connections,
      (request) => this.#routes.take(request),
    ).agent();
    return this.#agent;
  }

  /** For the option `connect` of managers and pools. */
  readonly connect = (target: ConnectTarget): Connection => {
    const { scheme, host, port } = target.origin;
    if (target.owner === null) {
      throw new InvalidArgumentError(
        "MockOrigins answers requests of managers and pools, not bare connections",
      );
    }
    const connection = ++this.#connections;
    const name = host.includes(":") ? `[${host}]` : host;
    return new MockConnection(target.owner, target.clock, `${host}:${port}`, (exchange) =>
      this.#answer(exchange, `${scheme}://${name}:${port}`, connection),
    );
  };

  /** Answers as the archive tells: entries of one method and URL in turn. */
  load(archive: HarLike): void {
    const groups = new Map<string, [RouteMatch, MockAnswer[]]>();
    for (const { request, response } of archive.log.entries) {
      const url = new URL(request.url);
      url.hash = "";
      const key = `${request.method} ${url.href}`;
      const group = groups.get(key) ?? [{ method: request.method, url: url.href }, []];
      groups.set(key, group);
      group[1].push(recorded(request.method, response));
    }
    for (const [match, answers] of groups.values()) this.route(match, answers);
  }

  /** Throws the first unexpected request, or an error that names the routes that were not used up. */
  verify(): void {
    this.#routes.verify();
  }

  /** Closes the managers, and verifies. What a failed block threw is the `suppressed` of the error then. */
  [Symbol.dispose](): void {
    this.#clear();
    this.verify();
  }

  #clear(): void {
    for (const manager of this.#managers) manager.clear();
    this.#agent?.destroy();
  }

  #expect(method: string, url: string, reply: Reply): MockRoute {
    const { origin, pathname } = new URL(url);
    return this.route({ method, origin, path: pathname }, reply);
  }

  async #answer(exchange: Exchange, origin: string, connection: number): Promise<MockAnswer> {
    const { method, target, headers } = exchange.head;
    const body = await bodyOfRequest(exchange);
    const request = new MockRequest(method, new URL(target, origin).href, headers, body, connection);
    return this.#routes.take(request);
  }
}

async function bodyOfRequest({ body }: Exchange): Promise<Buffer> {
  if (body === null) return Buffer.alloc(0);
  if (body instanceof Uint8Array) return Buffer.from(body);
  const parts: Buffer[] = [];
  for await (const part of body.open()) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}

/** Bodies in archives are decoded, and whole. */
const OF_CODING = /^(?:content-encoding|content-length|transfer-encoding)$/i;

type RecordedAnswer = HarLike["log"]["entries"][number]["response"];

function recorded(method: string, { status, headers, content }: RecordedAnswer): MockAnswer {
  if (status === 0) return { fault: "reset" };
  const left = hasNoBody(method, status) ? /^transfer-encoding$/i : OF_CODING;
  const fields: Record<string, string[]> = {};
  for (const { name, value } of headers) {
    if (!left.test(name)) fields[name] = [...(fields[name] ?? []), value];
  }
  const body = Buffer.from(content.text ?? "", content.encoding === "base64" ? "base64" : "utf8");
  return { status, headers: fields, body };
}
