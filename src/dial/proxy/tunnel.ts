/**
 * CONNECT: asks an HTTP proxy for a way through to an origin (RFC 9110 §9.3.6).
 *
 *  1. Any 2xx opens the tunnel, and nothing of the answer's framing counts. The origin waits for our TLS: bytes behind
 *     the answer are nobody's.
 *  2. A 407 that can be answered is, once: on the same connection where the proxy keeps it and its answer is short, else
 *     on a new one.
 *  3. Everything else is a `ProxyError`, whose cause says what came.
 */

import type { Socket } from "node:net";
import { HTTPError, ProtocolError, ProxyError, ReadTimeoutError } from "../../core/errors.ts";
import { HTTPHeaderDict, SKIP_HEADER } from "../../core/headers.ts";
import { parseChallenges } from "../../protocol/h1/challenge.ts";
import { type DefaultFields, writeHead } from "../../protocol/h1/request-writer.ts";
import type { ResponseHead } from "../../protocol/h1/response-head.ts";
import { ResponseParser, type ResponseSink } from "../../protocol/h1/response-parser.ts";
import type { PassageDone } from "../connector.ts";
import { type Connecting, Phase, type PhaseLimits } from "../step.ts";
import type { ProxyAuth } from "./auth.ts";

/** Most bytes of a 407's body that are read for the connection's sake. */
const LONGEST_REFUSAL = 65_536;

/** What the proxy is asked for. */
export interface TunnelSettings {
  /** `host:port` of the origin, IPv6 addresses in brackets. */
  readonly authority: string;
  /** Fields for the proxy. */
  readonly headers: HTTPHeaderDict | null;
  readonly auth: ProxyAuth | null;
  readonly defaults: DefaultFields;
  /** bytes */
  readonly maxHeaderSize: number;
}

/** Asks the proxy at the other end of `socket`. `mayAnswer`: a challenge was not answered before. */
export function openTunnel(
  socket: Socket,
  settings: TunnelSettings,
  limits: PhaseLimits,
  mayAnswer: boolean,
  done: PassageDone,
): Connecting {
  return new Tunnel(socket, settings, limits, mayAnswer, done).phase;
}

class Tunnel implements ResponseSink {
  readonly phase: Phase;
  readonly #socket: Socket;
  readonly #settings: TunnelSettings;
  readonly #parser: ResponseParser;
  readonly #onData: (bytes: Buffer) => void;
  #mayAnswer: boolean;
  /** A challenge is to be answered. */
  #challenged = false;
  #again = false;
  #authorized = false;
  #asked = 0;

  constructor(
    socket: Socket,
    settings: TunnelSettings,
    limits: PhaseLimits,
    mayAnswer: boolean,
    done: PassageDone,
  ) {
    this.#socket = socket;
    this.#settings = settings;
    this.#mayAnswer = mayAnswer;
    this.#parser = new ResponseParser(this, settings.maxHeaderSize);
    this.phase = new Phase(socket, {
      ...limits,
      failed: (cause) =>
        refusal(`Connection aborted: ${cause.message}`, new ProtocolError(cause.message, { cause })),
      closed: () => this.#closed(),
      timedOut: () => timeout(limits.connectTimeout),
      done: (error) => {
        socket.off("data", this.#onData);
        // What comes from now on is for whoever reads next.
        socket.pause();
        done(error, this.#again);
      },
    });
    this.#onData = (bytes) => this.#take(bytes);
    socket.on("data", this.#onData);
    this.#ask();
  }

  onInformational(): void {}

  onBody(): void {
    if (this.#parser.received > LONGEST_REFUSAL) this.#askElsewhere();
  }

  onHead(head: ResponseHead): void {
    if (head.status >= 200 && head.status < 300) return;
    const headers = HTTPHeaderDict.fromHead(head.text, head.fieldsStart);
    const challenges = headers.getList("proxy-authenticate");
    const { auth } = this.#settings;
    if (head.status !== 407 || !this.#mayAnswer || auth === null || !auth.accept(challenges)) {
      this.phase.end(refused(head, challenges, this.#authorized));
      return;
    }
    this.#mayAnswer = false;
    this.#challenged = true;
    if (!this.#parser.persistent) this.#askElsewhere();
  }

  #ask(): void {
    const { authority, headers, auth, defaults } = this.#settings;
    const fields = new HTTPHeaderDict(headers);
    if (auth !== null && (this.#challenged || auth.changes || !fields.has("proxy-authorization"))) {
      fields.set("Proxy-Authorization", auth.authorize("CONNECT", authority));
    }
    this.#authorized = fields.has("proxy-authorization");
    // Nobody reads the body of the answer.
    if (!fields.has("accept-encoding")) fields.set("Accept-Encoding", SKIP_HEADER);
    this.#challenged = false;
    this.#asked++;
    this.#parser.start(false, true);
    try {
      const head = writeHead({
        method: "CONNECT",
        target: authority,
        host: authority,
        headers: fields,
        bodyLength: null,
        chunked: false,
        defaults,
      });
      this.#socket.write(head.text, "latin1");
    } catch (error) {
      // The maker of the phase does not have it yet.
      queueMicrotask(() => this.phase.end(error as Error));
    }
  }

  #askElsewhere(): void {
    this.#again = true;
    this.phase.end(null);
  }

  #take(bytes: Buffer): void {
    let used: number;
    try {
      used = this.#parser.execute(bytes, 0, bytes.length);
    } catch (error) {
      this.phase.end(refusal(`Its answer cannot be understood: ${(error as Error).message}`, error));
      return;
    }
    if (this.phase.over || !this.#parser.done) return;
    if (used < bytes.length) {
      const cause = new ProtocolError("Bytes behind the answer to CONNECT", { phase: "proxy" });
      this.phase.end(refusal("It sent bytes of its own into the tunnel", cause));
    } else if (this.#challenged) this.#ask();
    else this.phase.end(null);
  }

  #closed(): Error | null {
    // It did not mean to keep the connection on which it asked for credentials.
    if (this.#challenged || (this.#asked > 1 && !this.#parser.started)) {
      this.#again = true;
      return null;
    }
    try {
      this.#parser.finish();
    } catch (error) {
      return refusal((error as Error).message, error);
    }
    return refusal("It closed the connection", new ProtocolError("The proxy closed the tunnel"));
  }
}

function refused(
  { status, reason }: ResponseHead,
  challenges: readonly string[],
  authorized: boolean,
): ProxyError {
  const said = `Tunnel connection failed: ${status} ${reason}`.trim();
  const hint = status === 407 ? `. ${authorizationHint(challenges, authorized)}` : "";
  return refusal(said + hint, new HTTPError(said, { phase: "proxy" }), status);
}

function authorizationHint(challenges: readonly string[], authorized: boolean): string {
  const schemes = challenges.flatMap(parseChallenges).map(({ scheme }) => scheme);
  const wanted = schemes.length > 0 ? ` (${schemes.join(", ")})` : "";
  if (authorized) return `The proxy refuses the credentials that were given${wanted}`;
  return `The proxy asks for credentials${wanted}: put them into the proxy's URL or into proxyHeaders`;
}

function refusal(text: string, cause: unknown, status?: number): ProxyError {
  return new ProxyError(`Unable to connect to proxy. ${text}`, { cause, status, phase: "proxy" });
}

function timeout(connectTimeout: number): ProxyError {
  const text = `Read timed out: no answer to CONNECT. (connect timeout=${connectTimeout} ms)`;
  return refusal(text, new ReadTimeoutError(text, { phase: "proxy" }));
}
