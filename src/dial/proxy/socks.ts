/**
 * SOCKS: asks a proxy for a way through to an origin. The handshakes are those of the package `socks`, an optional peer
 * that is loaded on first use; the socket, its time limit and the look-up of names are ours.
 */

import type { Socket } from "node:net";
import { LONGEST_TIMER } from "../../core/clock.ts";
import { ConnectTimeoutError, MissingDependencyError, NewConnectionError } from "../../core/errors.ts";
import type { AddressFilter } from "../address-filter.ts";
import type { PassageDone } from "../connector.ts";
import { allowedAddresses } from "../race.ts";
import { type Address, type ResolveOptions, resolve } from "../resolve.ts";
import { type Connecting, Phase, type PhaseLimits } from "../step.ts";

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

/** Asks the proxy at the other end of `socket`. */
export function openSocks(
  socket: Socket,
  settings: SocksSettings,
  limits: PhaseLimits,
  done: PassageDone,
): Connecting {
  let leaveLookup: () => void = ignore;
  const phase = new Phase(socket, {
    ...limits,
    failed: (cause) => refusal(cause.message, cause),
    closed: () => refusal("the proxy closed the connection"),
    timedOut: () => timeout(limits.connectTimeout),
    done: (error) => {
      leaveLookup();
      done(error);
    },
  });
  const ask = (host: string): void => {
    askFor(socket, host, settings, limits, (error) => phase.end(error));
  };
  if (settings.resolution === null) ask(settings.host);
  else {
    leaveLookup = resolve(settings.host, settings.resolution, (error, addresses) => {
      if (phase.over) return;
      const address = addresses === null ? error! : chosen(addresses, settings);
      if (address instanceof Error) phase.end(address);
      else ask(address.address);
    });
  }
  return phase;
}

function chosen(addresses: readonly Address[], settings: SocksSettings): Address | Error {
  const allowed = allowedAddresses(addresses, settings.host, settings.addressFilter);
  if (allowed instanceof Error) return allowed;
  const [address] = settings.version === 4 ? allowed.filter(({ family }) => family === 4) : allowed;
  return address ?? refusal(`SOCKS4 knows only IPv4, and '${settings.host}' has no such address`);
}

async function askFor(
  socket: Socket,
  host: string,
  settings: SocksSettings,
  { timeLeft }: PhaseLimits,
  end: (error: Error | null) => void,
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
      // Ours comes first.
      timeout: Math.min(LONGEST_TIMER, timeLeft + 1000),
    };
    // The callback is called at once, before the socket reports that it was closed for the failure.
    await SocksClient.createConnection(options, (error) => end(error && refusal(explained(error.message))));
  } catch (error) {
    end(error instanceof MissingDependencyError ? error : refusal((error as Error).message));
  }
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
const IDENT: Record<string, string> = {
  RejectedNoIdent: "the proxy cannot reach identd on this machine",
  RejectedIdent: "identd on this machine and the request name different user-ids",
};

function explained(text: string): string {
  const meaning = IDENT[/\((\w+)\)$/.exec(text)?.[1] ?? ""];
  return meaning === undefined ? text : `${text}: ${meaning}`;
}

/** The package's own errors hold the password: only their text is kept. */
function refusal(text: string, cause: unknown = new Error(text)): NewConnectionError {
  const message = `Failed to establish a new connection through the SOCKS proxy: ${text}`;
  return new NewConnectionError(message, { cause, phase: "proxy" });
}

function timeout(connectTimeout: number): ConnectTimeoutError {
  const text = `Connection through the SOCKS proxy timed out. (connect timeout=${connectTimeout} ms)`;
  return new ConnectTimeoutError(text, { phase: "proxy" });
}

function ignore(): void {}
