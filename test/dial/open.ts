/** A connector for a test, and its sockets as promises. */

import { planRoute } from "../../src/client/route.ts";
import { systemClock } from "../../src/core/clock.ts";
import { CoarseTimers } from "../../src/core/timers.ts";
import { Connector, type OpenedSocket } from "../../src/dial/connector.ts";
import { buildTlsSettings } from "../../src/dial/tls/settings.ts";
import type { PoolOptions } from "../../src/index.ts";

/** As a pool with these options has it. */
export function connectorTo(
  scheme: string,
  host: string,
  port: number,
  options: PoolOptions = {},
): Connector {
  const tls = scheme === "https" ? () => buildTlsSettings(options, host) : null;
  const defaults = { acceptEncoding: "", userAgent: "test" };
  const { route } = planRoute({ scheme, host, port, tls, defaults }, options, systemClock);
  return new Connector(route, systemClock, new CoarseTimers(systemClock));
}

/** The next bare socket. */
export function opened(connector: Connector): Promise<OpenedSocket> {
  return new Promise((resolve, reject) => {
    connector.openSocket({
      opened: (socket) => {
        socket.socket.on("error", () => {});
        resolve(socket);
      },
      failed: reject,
    });
  });
}
