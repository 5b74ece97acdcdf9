/** What holds where nobody says otherwise. Times are ms, sizes bytes. */

/** Longest time for a connection to stand. */
export const DEFAULT_CONNECT_TIMEOUT: number = 10_000;

/** Longest wait for the response head, and between two parts of its body. */
export const DEFAULT_READ_TIMEOUT: number = 300_000;

/** Connections a pool keeps. */
export const DEFAULT_MAXSIZE: number = 64;

/** Connections open at once over all pools of a manager. */
export const DEFAULT_MAX_CONNECTIONS: number = 1024;

/** An idle connection is closed after this time. */
export const DEFAULT_KEEP_ALIVE_TIMEOUT: number = 30_000;

/** Most bytes of status line and headers of one response. */
export const DEFAULT_MAX_HEADER_SIZE: number = 65_536;

/** Version of the package. */
export const VERSION: string = "0.1.0";

/** Sent unless the caller names another. */
export const USER_AGENT: string = `urlpool/${VERSION}`;
