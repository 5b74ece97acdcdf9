/**
 * A server that does not want an upload answers and closes; what is written after that fails. Node then destroys the
 * socket with the answer unread in it. So failures to write to a peer that has closed are not errors here: the read side
 * gives the answer first, and then tells that the connection is gone.
 */

import type { Socket } from "node:net";

type Done = (error?: Error | null) => void;

/** What the peer's closing makes of a write. */
const PEER_CLOSED = new Set(["EPIPE", "ECONNRESET"]);

const prepared = new WeakSet<Socket>();

/** From now on writes to `socket` that fail because the peer has closed count as written. */
export function hearOut(socket: Socket): void {
  if (prepared.has(socket)) return;
  prepared.add(socket);
  const write = socket._write?.bind(socket);
  const writeMany = socket._writev?.bind(socket);
  if (write) socket._write = (chunk, encoding, done) => write(chunk, encoding, forgiving(done));
  if (writeMany) socket._writev = (chunks, done) => writeMany(chunks, forgiving(done));
}

function forgiving(done: Done): Done {
  return (error) => done(PEER_CLOSED.has((error as NodeJS.ErrnoException | null)?.code ?? "") ? null : error);
}
