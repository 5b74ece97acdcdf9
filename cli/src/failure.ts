/** Failures that end the command, and the numbers it ends with. */

/** Exit codes. Where curl has a number for the same thing, it is curl's. */
export const EXIT = {
  ok: 0,
  someFailed: 1,
  usage: 2,
  allFailed: 3,
  missingPackage: 4,
  proxy: 5,
  name: 6,
  connect: 7,
  partial: 18,
  status: 22,
  write: 23,
  read: 26,
  timeout: 28,
  tls: 35,
  redirects: 47,
  protocol: 56,
  decode: 61,
  interrupted: 130,
  terminated: 143,
} as const;

/** What each exit code means: the table of `--help` and of the documentation. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, "everything went well"],
  [EXIT.someFailed, "fetch-all, queue add: some URLs failed"],
  [EXIT.usage, "wrong usage; nothing was sent"],
  [EXIT.allFailed, "fetch-all: every URL failed"],
  [EXIT.missingPackage, "an optional package is not installed"],
  [EXIT.proxy, "the proxy could not be reached, or refused"],
  [EXIT.name, "the name does not resolve"],
  [EXIT.connect, "no connection could be made"],
  [EXIT.partial, "the body ended early"],
  [EXIT.status, "--fail: the status was 400 or more"],
  [EXIT.write, "the output could not be written"],
  [EXIT.read, "a file that an option names, standard input or the list of URLs could not be read"],
  [EXIT.timeout, "a time limit was reached"],
  [EXIT.tls, "TLS failed: handshake, certificate, host name"],
  [EXIT.redirects, "too many redirects"],
  [EXIT.protocol, "the connection broke, or the server broke the protocol"],
  [EXIT.decode, "the body could not be decoded"],
  [EXIT.interrupted, "interrupted (Ctrl-C); what was done is saved"],
  [EXIT.terminated, "terminated; what was done is saved"],
];

/** Ends the command with a message and an exit code. */
export class Failure extends Error {
  /** One of {@link EXIT}. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "Failure";
    this.exitCode = exitCode;
  }
}

/** The command was written wrongly. */
export class UsageError extends Failure {
  constructor(message: string) {
    super(message, EXIT.usage);
    this.name = "UsageError";
  }
}

/** An optional package, loaded when it is needed. Rejects with how to install it. */
export async function optionalPackage<T>(name: string, load: () => Promise<T>, what: string): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    const message = `${what} needs the package ${name}: npm install ${name}`;
    throw new Failure(message, EXIT.missingPackage, { cause });
  }
}
