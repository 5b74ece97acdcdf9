/** Records what a manager does, as an HTTP Archive that browsers' developer tools open. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  type AttemptEndMessage,
  type HTTPResponse,
  headsWithSecrets,
  type RequestEndMessage,
  type RequestStartMessage,
  systemClock,
  type UrlopenOptions,
  VERSION,
} from "../../index.ts";
import { RecordedResponse } from "../recorded-response.ts";
import { contentOf, entryOf, postDataOf } from "./entry.ts";
import type { Har, HarEntry } from "./format.ts";

/** What is recorded: a manager, or what has its `urlopen`. */
export interface Recordable {
  urlopen(method: string, url: never, options?: UrlopenOptions): Promise<HTTPResponse>;
  /** Tells when a request was made. Default: the platform's. */
  readonly clock?: { wallNow(): number } | undefined;
}

/** Options of {@link recordHar}. */
export interface RecordOptions {
  /** bytes; larger bodies are left out, 0 leaves out all. Default 65_536. */
  bodyLimit?: number | undefined;
  /** Most entries; the oldest go first. Default 10_000. */
  maxEntries?: number | undefined;
  /** Whether credentials and cookies are recorded as they are. Default false. */
  secrets?: boolean | undefined;
}

type Urlopen = (method: string, url: unknown, options?: UrlopenOptions) => Promise<HTTPResponse>;

/** A request under way. */
interface Recording {
  /** The body it was given. */
  sent: unknown;
  /** Of its last try. */
  entry: HarEntry | null;
  /** The try that the entry is of. */
  ended: number;
  /** Tries that the answer took. */
  attempts: number;
  streamed: boolean;
  mimeType: string;
  /** Of its answer. */
  body: Buffer | null;
}

const START = "urlpool:request:start";
const ANSWER = "urlpool:request:end";
const END = "urlpool:attempt:end";
const NO_BODY = "the body was not recorded: another try followed, or it was read another way";

/**
 * Records the requests of `manager` from now on, each try and each redirect as an entry of its own. The values of
 * Authorization, Cookie, Set-Cookie and the proxy's credentials are `***` unless `secrets` asks for them.
 */
export function recordHar(manager: Recordable, options: RecordOptions = {}): HarRecorder {
  return new HarRecorder(manager, options);
}

/** A recording under way. */
export class HarRecorder {
  readonly #manager: { urlopen: Urlopen };
  readonly #clock: { wallNow(): number };
  readonly #limit: number;
  readonly #maxEntries: number;
  readonly #secrets: boolean;
  readonly #urlopen: Urlopen;
  readonly #wrapper: Urlopen;
  readonly #entries: HarEntry[] = [];
  /** Those under way, by the numbers of their requests. */
  readonly #requests = new Map<number, Recording>();
  /** Set while a request begins. */
  #begun: number | null = null;
  #beginning = false;
  #stopped = false;

  constructor(
    manager: Recordable,
    { bodyLimit = 65_536, maxEntries = 10_000, secrets = false }: RecordOptions,
  ) {
    this.#manager = manager as unknown as { urlopen: Urlopen };
    this.#clock = manager.clock ?? systemClock;
    this.#limit = bodyLimit;
    this.#maxEntries = maxEntries;
    this.#secrets = secrets;
    this.#urlopen = this.#manager.urlopen;
    this.#wrapper = (method, url, options) => this.#open(method, url, options);
    this.#manager.urlopen = this.#wrapper;
    subscribe(START, this.#onStart);
    subscribe(ANSWER, this.#onAnswer);
    subscribe(END, this.#onEnd);
  }

  /** What was recorded so far. */
  get entries(): readonly HarEntry[] {
    return this.#entries;
  }

  /** Records nothing more. */
  stop(): void {
    this.#stopped = true;
    unsubscribe(START, this.#onStart);
    unsubscribe(ANSWER, this.#onAnswer);
    unsubscribe(END, this.#onEnd);
    // Somebody may have wrapped it since: then this wrapper stays, and only passes on.
    if (this.#manager.urlopen === this.#wrapper)
      delete (this.#manager as Partial<{ urlopen: Urlopen }>).urlopen;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.#entries.length = 0;
  }

  /** The archive; `JSON.stringify(recorder)` is the text of a `.har` file. */
  toJSON(): Har {
    return {
      log: {
        version: "1.2",
        creator: { name: "urlpool", version: VERSION },
        pages: [],
        entries: [...this.#entries].sort((a, b) => (a.startedDateTime < b.startedDateTime ? -1 : 1)),
      },
    };
  }

  #open(method: string, url: unknown, options?: UrlopenOptions): Promise<HTTPResponse> {
    if (this.#stopped) return Reflect.apply(this.#urlopen, this.#manager, [method, url, options]);
    // A request reports its start in the call that makes it.
    this.#beginning = true;
    this.#begun = null;
    let answer: Promise<HTTPResponse>;
    try {
      answer = Reflect.apply(this.#urlopen, this.#manager, [method, url, options]);
    } finally {
      this.#beginning = false;
    }
    const request = this.#begun;
    if (request === null) return answer;
    const recording: Recording = this.#requests.get(request) ?? newRecording();
    recording.sent = options?.body;
    this.#requests.set(request, recording);
    return answer.then(
      (response) => this.#answered(request, recording, response),
      (error: unknown) => {
        this.#requests.delete(request);
        throw error;
      },
    );
  }

  #answered(request: number, recording: Recording, response: HTTPResponse): HTTPResponse {
    const { headers } = response;
    recording.mimeType = headers.get("content-type") ?? "x-unknown";
    if (response.isClosed) {
      this.#requests.delete(request);
      recording.body = response.data;
      this.#fill(recording);
      return response;
    }
    recording.streamed = true;
    // Its own entry comes when its body has ended, unless it has already.
    if (recording.ended === recording.attempts) this.#requests.delete(request);
    else recording.entry = null;
    return new RecordedResponse(response, this.#limit, (body) => {
      recording.body = body;
      this.#fill(recording);
    });
  }

  #fill({ entry, body, mimeType }: Recording): void {
    if (entry !== null && body !== null) entry.response.content = contentOf(body, mimeType, this.#limit);
  }

  readonly #onStart = (message: unknown): void => {
    if (this.#beginning) this.#begun = (message as RequestStartMessage).request;
  };

  readonly #onAnswer = (message: unknown): void => {
    const { request, attempts } = message as RequestEndMessage;
    const recording = this.#requests.get(request);
    if (recording !== undefined) recording.attempts = attempts;
  };

  readonly #onEnd = (raw: unknown): void => {
    const message = raw as AttemptEndMessage;
    const isBeginning = this.#beginning && this.#begun === message.request;
    if (!this.#requests.has(message.request) && !isBeginning) return;
    const recording = this.#requests.get(message.request) ?? newRecording();
    if (recording.streamed) this.#requests.delete(message.request);
    else this.#requests.set(message.request, recording);
    const entry = entryOf(message, this.#clock.wallNow(), this.#secrets ? headsWithSecrets(message) : null);
    if (entry.response.bodySize > 0) entry.response.content.comment = NO_BODY;
    this.#addSent(entry, recording);
    recording.entry = entry;
    recording.ended = message.attempt;
    this.#fill(recording);
    this.#entries.push(entry);
    if (this.#entries.length > this.#maxEntries) this.#entries.shift();
  };

  #addSent({ request }: HarEntry, { sent }: Recording): void {
    if (request.bodySize <= 0) return;
    const type = request.headers.find(({ name }) => name.toLowerCase() === "content-type")?.value ?? "";
    const postData = postDataOf(sent, type, this.#limit);
    if (postData !== null) request.postData = postData;
  }
}

function newRecording(): Recording {
  return { sent: null, entry: null, ended: 0, attempts: 0, streamed: false, mimeType: "", body: null };
}
