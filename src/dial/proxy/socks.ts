/**
 * SOCKS: asks a proxy for a way through to an origin. The handshakes are those of the package `socks`, an optional peer
 * that is loaded on first use; the socket, its time limit and the look-up of names are ours.
 */

import type { Socket } from "node:net";
import { ConnectTimeoutError, MissingDependencyError, NewConnectionError } from "../../core/errors.ts";
import { ignore } from "../../core/ignore.ts";
import { type AddressFilter, allowedAddresses } from "../address-filter.ts";
import type { TunnelDone, TunnelRequest } from "../connector.ts";
import { type Connecting, HandshakeStep, timeoutText } from "../handshake-step.ts";
import { interleave } from "../race.ts";
import { type Address, type ResolveOptions, resolve } from "../resolve.ts";

/**
 * Longest handshake in ms. The package's timer cannot be stopped and holds the socket until it fires, so it does not wait
 * for ever.
 */
const LONGEST_HANDSHAKE = 300_000;

/** What the proxy is asked for. */
export interface SocksSettings {
  readonly version: 4 | 5;
  /** The user id of SOCKS4. */
  readonly username: string | null;
  readonly password: string | null;
  /** The origin; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** `null` where the proxy looks names up (socks4a, socks5h). */
  readonly resolution: ResolveOptions | null;
  readonly addressFilter: AddressFilter | null | undefined;
}

/**
 * Asks a SOCKS proxy for one tunnel. Where the names are looked up here, the addresses of the origin are tried one after
 * another, each on a connection of its own: a proxy closes the one on which it refused.
 */
export class SocksTunnel implements TunnelRequest {
  readonly #settings: SocksSettings;
  /** What is left to be tried, in order; `null` before the look-up. */
  #addresses: string[] | null;
  readonly #tried: string[] = [];

  constructor(settings: SocksSettings) {
    this.#settings = settings;
    this.#addresses = settings.resolution === null ? [settings.host] : null;
  }

  open(socket: Socket, done: TunnelDone): Connecting {
    let leaveLookup: () => void = ignore;
    let again = false;
    const step = new HandshakeStep(socket, {
      failed: (cause) => refusal(cause.message, cause),
      closed: () => refusal("the proxy closed the connection"),
      timedOut: (connectTimeout) => timeout(connectTimeout, this.#tried),
      done: (error) => {
        leaveLookup();
        done(error, again);
      },
    });
    const answered = (failure: Failure | null): void => {
      again = failure?.ofAddress === true && this.#addresses!.length > 0;
      step.end(failure === null || again ? null : this.#described(failure));
    };
    if (this.#addresses !== null) this.#askNext(socket, answered);
    else {
      leaveLookup = this.#lookUp((error) => {
        if (step.over) return;
        if (error === null) this.#askNext(socket, answered);
        else step.end(error);
      });
    }
    return step;
  }

  #lookUp(done: (error: Error | null) => void): () => void {
    const { host, resolution, version, addressFilter } = this.#settings;
    return resolve(host, resolution!, (error, addresses) => {
      const allowed = addresses === null ? error! : allowedAddresses(addresses, host, addressFilter);
      if (allowed instanceof Error) {
        done(allowed);
        return;
      }
      const usable = version === 4 ? allowed.filter(({ family }) => family === 4) : allowed;
      this.#addresses = interleave(usable).map(withoutZone);
      done(usable.length > 0 ? null : refusal(`SOCKS4 knows only IPv4, and '${host}' has no such address`));
    });
  }

  #askNext(socket: Socket, answered: (failure: Failure | null) => void): void {
    const host = this.#addresses!.shift()!;
    this.#tried.push(host);
    void askFor(socket, host, this.#settings, answered);
  }

  #described({ error }: Failure): Error {
    if (!(typeof error === "string")) return error;
    return refusal(error + tried(this.#tried));
  }
}

/** Why a request failed. */
interface Failure {
  readonly error: string | Error;
  /** Whether another address may be reached. */
  readonly ofAddress: boolean;
}

/** The proxy's answer that it does not reach an address; where identd is asked for, no other one would do. */
const REJECTED = /proxy rejected connection(?!.*ident)/i;

async function askFor(
  socket: Socket,
  host: string,
  settings: SocksSettings,
  answered: (failure: Failure | null) => void,
): Promise<void> {
  try {
    const { SocksClient } = await load();
    if (socket.destroyed) return;
    const { version: type, username, password } = settings;
    const login = { ...(username !== null && { userId: username }), ...(password !== null && { password }) };
    const options = {
      command: "connect" as const,
      // Its host is not dialled, but it must be there.
      proxy: { type, host: "proxy", port: 1080, ...login },
      destination: { host, port: settings.port },
      existing_socket: socket,
      timeout: LONGEST_HANDSHAKE,
    };
    // The callback is called at once, before the socket reports that it was closed for the failure.
    await SocksClient.createConnection(options, (error) => {
      const text = error && explained(error.message);
      answered(text ? { error: text, ofAddress: REJECTED.test(text) } : null);
    });
  } catch (thrown) {
    const error = thrown instanceof MissingDependencyError ? thrown : (thrown as Error).message;
    answered({ error, ofAddress: false });
  }
}

/** A zone names an interface of this machine only. */
function withoutZone({ address }: Address): string {
  return address.split("%", 1)[0] as string;
}

/** A bundler that saw the name in the call would miss the package, or pack it for everybody. */
async function load(name: string = "socks"): Promise<typeof import("socks")> {
  try {
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
  } catch (cause) {
    const text = "SOCKS proxies need the package 'socks': npm install socks";
    throw new MissingDependencyError(text, { cause, phase: "proxy" });
  }
}

/** What the names of SOCKS4's replies do not tell. */
const IDENT: ReadonlyMap<string, string> = new Map([
  ["RejectedNoIdent", "the proxy cannot reach identd on this machine"],
  ["RejectedIdent", "identd on this machine and the request name different user-ids"],
]);

function explained(text: string): string {
  const meaning = IDENT.get(/\((\w+)\)$/.exec(text)?.[1] ?? "");
  return meaning === undefined ? text : `${text}: ${meaning}`;
}

/** The package's own errors hold the password: only their text is kept. */
function refusal(text: string, cause: unknown = new Error(text)): NewConnectionError {
  const message = `Failed to establish a new connection through the SOCKS proxy: ${text}`;
  return new NewConnectionError(message, { cause, phase: "proxy" });
}

function timeout(connectTimeout: number, addresses: readonly string[]): ConnectTimeoutError {
  const limit = timeoutText(connectTimeout);
  const text = `Connection through the SOCKS proxy timed out. ${limit}${tried(addresses)}`;
  return new ConnectTimeoutError(text, { phase: "proxy" });
}

function tried(addresses: readonly string[]): string {
  return addresses.length > 1 ? ` (tried ${addresses.join(", ")})` : "";
}
