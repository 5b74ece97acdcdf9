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
import { isTlsError, toSslError } from "../../connection/tls-errors.ts";
import {
  AddressBlockedError,
  HTTPError,
  InvalidArgumentError,
  ProtocolError,
  ProxyError,
  ReadTimeoutError,
} from "../../core/errors.ts";
import { HTTPHeaderDict, SKIP_HEADER } from "../../core/headers.ts";
import type { Url } from "../../core/url.ts";
import { parseChallenges } from "../../protocol/h1/challenge.ts";
import { writeHead } from "../../protocol/h1/request-writer.ts";
import { ResponseParser, type ResponseSink } from "../../protocol/h1/response-parser.ts";
import { type DefaultFields, RequestHead } from "../../protocol/request-head.ts";
import type { ResponseHead } from "../../protocol/response-head.ts";
import type { TunnelDone, TunnelRequest } from "../connector.ts";
import { type Connecting, HandshakeStep, timeoutText } from "../handshake-step.ts";
import type { ProxyAuth } from "./auth.ts";

/** Most bytes of a 407's body that are read for the connection's sake. */
const LONGEST_REFUSAL = 65_536;

/** What the proxy is asked for. */
export interface TunnelSettings {
  /** `host:port` of the origin, IPv6 addresses in brackets. */
  readonly authority: string;
  /** The proxy's, for messages. */
  readonly proxyHost: string;
  /** Fields for the proxy. */
  readonly headers: HTTPHeaderDict | null;
  readonly auth: ProxyAuth | null;
  readonly defaults: DefaultFields;
  /** bytes */
  readonly maxHeaderSize: number;
}

/** Asks an HTTP proxy for one tunnel. */
export class ConnectTunnel implements TunnelRequest {
  readonly #settings: TunnelSettings;
  #asked = false;

  constructor(settings: TunnelSettings) {
    this.#settings = settings;
  }

  open(socket: Socket, done: TunnelDone): Connecting {
    const mayAnswer = !this.#asked;
    this.#asked = true;
    return new ConnectExchange(socket, this.#settings, mayAnswer, done).step;
  }
}

/** CONNECT and its answer on one connection. */
class ConnectExchange implements ResponseSink {
  readonly step: HandshakeStep;
  readonly #socket: Socket;
  readonly #settings: TunnelSettings;
  readonly #parser: ResponseParser;
  readonly #onData: (bytes: Buffer) => void;
  /** No challenge was answered before. */
  #mayAnswer: boolean;
  /** A challenge is to be answered. */
  #challenged = false;
  #again = false;
  #authorized = false;
  #asked = 0;

  constructor(socket: Socket, settings: TunnelSettings, mayAnswer: boolean, done: TunnelDone) {
    this.#socket = socket;
    this.#settings = settings;
    this.#mayAnswer = mayAnswer;
    this.#parser = new ResponseParser(this, settings.maxHeaderSize);
    this.step = new HandshakeStep(socket, {
      failed: (cause) => this.#failed(cause),
      closed: () => this.#closed(),
      timedOut: (connectTimeout) => timeout(connectTimeout),
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
    const headers = head.fields();
    const challenges = headers.getList("proxy-authenticate");
    const { auth } = this.#settings;
    if (head.status !== 407 || !this.#mayAnswer || auth === null || !auth.accept(challenges)) {
      this.step.end(refused(head, challenges, this.#authorized));
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
      const head = new RequestHead({
        method: "CONNECT",
        scheme: "http",
        target: authority,
        authority,
        headers: fields,
        bodyLength: null,
        chunked: false,
        defaults,
      });
      this.#socket.write(writeHead(head), "latin1");
    } catch (error) {
      // The maker of the step does not have it yet.
      queueMicrotask(() => this.step.end(error as Error));
    }
  }

  #askElsewhere(): void {
    this.#again = true;
    this.step.end(null);
  }

  #take(bytes: Buffer): void {
    let used: number;
    try {
      used = this.#parser.execute(bytes, 0, bytes.length);
    } catch (error) {
      this.step.end(refusal(`Its answer cannot be understood: ${(error as Error).message}`, error));
      return;
    }
    if (this.step.over || !this.#parser.done) return;
    if (used < bytes.length) {
      const cause = new ProtocolError("Bytes behind the answer to CONNECT", { phase: "proxy" });
      this.step.end(refusal("It sent bytes of its own into the tunnel", cause));
    } else if (this.#challenged) this.#ask();
    else this.step.end(null);
  }

  /** Whether the proxy gave up the connection on which it asked for credentials: they are sent on a new one. */
  #endsAfterChallenge(): boolean {
    this.#again ||= this.#challenged || (this.#asked > 1 && !this.#parser.started);
    return this.#again;
  }

  #failed(cause: Error): Error | null {
    // A proxy that closes with bytes unread resets.
    if (this.#endsAfterChallenge()) return null;
    if (isTlsError(cause)) {
      // Under TLS 1.3 a proxy refuses a client's certificate after the handshake.
      const error = toSslError(cause, this.#settings.proxyHost);
      return refusal(error.message, error);
    }
    return refusal(`Connection aborted: ${cause.message}`, new ProtocolError(cause.message, { cause }));
  }

  #closed(): Error | null {
    if (this.#endsAfterChallenge()) return null;
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
  const text = `Read timed out: no answer to CONNECT. ${timeoutText(connectTimeout)}`;
  return refusal(text, new ReadTimeoutError(text, { phase: "proxy" }));
}

/** What stays what it is: another try, or another proxy, would not help. */
const FINAL = [AddressBlockedError, InvalidArgumentError, ProxyError];

/** OpenSSL's words for an answer that is not TLS. */
const NOT_TLS =
  /wrong[ _]version[ _]number|unknown[ _]protocol|record[ _]layer[ _]failure|packet[ _]length[ _]too[ _]long/i;

/** What failures on the way to `proxy` mean (urllib3's "Unable to connect to proxy"). */
export function proxyFailure(proxy: Url): (error: Error) => Error {
  return (error) => {
    if (FINAL.some((type) => error instanceof type)) return error;
    const hint =
      proxy.scheme === "https" && NOT_TLS.test(error.message)
        ? ". Your proxy appears to only use HTTP and not HTTPS, try changing your proxy URL to be HTTP"
        : "";
    const text = `Unable to connect to proxy${hint}: ${error.message}`;
    return new ProxyError(text, { cause: error, phase: "proxy" });
  };
}
