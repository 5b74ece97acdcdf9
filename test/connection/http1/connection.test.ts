import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BodyFacts, ConnectionOwner, Exchange } from "../../../src/connection/connection.ts";
import { Http1Connection } from "../../../src/connection/http1/connection.ts";
import { SocketReader } from "../../../src/connection/reader.ts";
import { type HTTPError, IncompleteRead, ProtocolError } from "../../../src/core/errors.ts";
import { CoarseTimers } from "../../../src/core/timers.ts";
import { RequestHead } from "../../../src/protocol/request-head.ts";
import type { FieldLines, ResponseHead } from "../../../src/protocol/response-head.ts";
import { VirtualClock } from "../../kit/clock.ts";
import { asSocket, type Wire, type WirePairOptions, wirePair } from "../../kit/wire.ts";

const OK = "HTTP/1.1 200 OK\r\n";

/** One connection on a wire, with everything it reports written down in order. */
class Bench implements ConnectionOwner {
  readonly clock = new VirtualClock();
  readonly server: Wire;
  readonly client: Wire;
  readonly connection: Http1Connection;
  readonly log: string[] = [];
  received = "";
  body: Buffer | null = null;
  failed: HTTPError | null = null;

  constructor(options: WirePairOptions = {}) {
    const reader = new SocketReader();
    const [client, server] = wirePair({
      clock: this.clock,
      ...options,
      client: { onread: reader.onread as never, ...options.client },
    });
    this.client = client;
    this.server = server;
    this.connection = new Http1Connection(asSocket(client), reader, {
      owner: this,
      timers: new CoarseTimers(this.clock),
      bornAt: 0,
      maxHeaderSize: 65_536,
      route: "test:80",
      setup: { dns: 0, connect: 0, tls: null },
    });
    server.on("data", (bytes: Buffer) => {
      this.received += bytes.toString("latin1");
    });
    client.resume();
  }

  capacityChanged(): void {
    const { open, free } = this.connection;
    // Told again after the poll, when it can take the next exchange.
    if (open === 0 && free === 0) this.log.push("idle");
  }

  unsent(): void {
    this.log.push("unsent");
  }

  dead(): void {
    this.log.push("dead");
  }

  send(exchange: Partial<Exchange> = {}): void {
    this.connection.start({
      head: headOf("GET", "GET / HTTP/1.1\r\nHost: test\r\n\r\n"),
      body: null,
      persistent: true,
      collect: true,
      into: null,
      readTimeout: Number.POSITIVE_INFINITY,
      expectContinue: false,
      parks: false,
      onStart: () => this.clock.now(),
      onSent: () => {},
      onReceived: () => {},
      onInformational: (head: ResponseHead) => this.log.push(`informational ${head.status}`),
      onHead: (head: ResponseHead, _facts: BodyFacts) => this.log.push(`head ${head.status}`),
      onBody: (bytes: Buffer) => {
        this.log.push(`body ${bytes}`);
        return true;
      },
      onEnd: (body: Buffer | null, trailers: FieldLines | null) => {
        this.body = body;
        this.log.push(`end ${(body?.length ?? 0) > 100 ? "long" : (body ?? "")}${trailers?.text ?? ""}`);
      },
      onError: (error: HTTPError) => {
        this.failed = error;
        this.log.push(`error ${error.name}`);
      },
      ...exchange,
    });
  }

  async answer(...pieces: string[]): Promise<void> {
    // A request on a used connection is written after a poll.
    await settle();
    for (const piece of pieces) this.server.write(Buffer.from(piece, "latin1"));
    await settle();
  }
}

/** A request head that goes on the wire as `text`. */
function headOf(method: string, text: string): RequestHead {
  const defaults = { acceptEncoding: "identity", userAgent: "test" };
  const fields = { headers: null, bodyLength: null, chunked: false, defaults };
  const head = new RequestHead({ method, scheme: "http", authority: "test", target: "/", ...fields });
  head.text = text;
  return head;
}

/** Lets microtasks and deliveries run out. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("one exchange after another", () => {
  it("reports idle before the end of the exchange, and is used again", async () => {
    const bench = new Bench();
    bench.send();
    await bench.answer(`${OK}Content-Length: 5\r\n\r\nhello`);
    bench.send();
    await bench.answer(`${OK}Content-Length: 2\r\n\r\nok`);
    assert.deepEqual(bench.log, ["head 200", "idle", "end hello", "head 200", "idle", "end ok"]);
    assert.equal(bench.connection.exchanges, 2);
  });

  it("writes head and body in one packet", async () => {
    const bench = new Bench();
    bench.send({
      head: headOf("POST", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"),
      body: Buffer.from("abc"),
    });
    await settle();
    assert.equal(bench.received, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert.equal(bench.client.packetsSent, 1);
  });

  it("collects a body however it is split, in place or not", async () => {
    const text = "x".repeat(100_000);
    for (const chunkSize of [1000, 65_536, 7]) {
      const bench = new Bench({ server: { chunkSize } });
      bench.send();
      await bench.answer(`${OK}Content-Length: ${text.length}\r\n\r\n${text}`);
      for (let i = 0; i < 2000 && bench.body === null; i++) await settle();
      assert.ok(bench.body?.equals(Buffer.from(text)), `pieces of ${chunkSize}`);
      assert.deepEqual(bench.log, ["head 200", "idle", "end long"]);
    }
  });

  it("collects into the caller's memory, whatever the framing and wherever the answer is cut", async () => {
    const answers = [
      [`${OK}Content-Length: 10\r\n\r\n0123456789`, ""],
      [`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n`, "\r\n"],
    ] as const;
    for (const [answer, end] of answers) {
      for (let cut = 1; cut < answer.length; cut++) {
        const bench = new Bench();
        const memory = Buffer.alloc(14, "-");
        bench.send({ into: memory.subarray(1, 12) });
        await bench.answer(answer.slice(0, cut));
        await bench.answer(answer.slice(cut));
        assert.deepEqual(bench.log, ["head 200", "idle", `end 0123456789${end}`], `cut at ${cut}`);
        assert.equal(String(memory), "-0123456789---");
        assert.equal(bench.body!.buffer, memory.buffer);
      }
    }
  });

  it("reads a long body straight into the caller's memory, and nothing after it", async () => {
    const text = "x".repeat(100_000);
    for (const chunkSize of [1000, 65_536, 7]) {
      const bench = new Bench({ server: { chunkSize } });
      const into = Buffer.alloc(100_010, "-");
      bench.send({ into });
      await bench.answer(`${OK}Content-Length: ${text.length}\r\n\r\n${text}`);
      for (let i = 0; i < 2000 && bench.body === null; i++) await settle();
      assert.equal(bench.body!.buffer, into.buffer);
      assert.equal(String(into), `${text}----------`);
      bench.send();
      await bench.answer(`${OK}Content-Length: 2\r\n\r\nok`);
      assert.equal(String(into), `${text}----------`);
    }
  });

  it("gives the parts of a body that is not collected, and stops when told to", async () => {
    const bench = new Bench();
    let more = false;
    bench.send({
      collect: false,
      onBody: (bytes) => {
        bench.log.push(`body ${bytes}`);
        return more;
      },
    });
    await bench.answer(`${OK}Content-Length: 6\r\n\r\nabc`);
    await bench.answer("def");
    assert.deepEqual(bench.log, ["head 200", "body abc"]);
    more = true;
    bench.connection.resume();
    await settle();
    assert.deepEqual(bench.log, ["head 200", "body abc", "body def", "idle", "end "]);
  });

  it("shows 1xx responses and trailers", async () => {
    const bench = new Bench();
    bench.send();
    await bench.answer(
      `HTTP/1.1 103 Early Hints\r\n\r\n${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n`,
    );
    assert.deepEqual(bench.log, ["informational 103", "head 200", "idle", "end okA: b\r\n\r\n"]);
  });

  it("learns the server's Keep-Alive timeout", async () => {
    const bench = new Bench();
    bench.send();
    await bench.answer(`${OK}Keep-Alive: timeout=5, max=100\r\nContent-Length: 0\r\n\r\n`);
    assert.equal(bench.connection.keepAliveHint, 5000);
  });
});

describe("what ends a connection", () => {
  const cases: [name: string, answer: string, log: string[]][] = [
    [
      "Connection: close",
      `${OK}Connection: close\r\nContent-Length: 2\r\n\r\nok`,
      ["head 200", "dead", "end ok"],
    ],
    [
      "bytes glued behind the answer (fault 25)",
      `${OK}Content-Length: 2\r\n\r\nok${OK}\r\n`,
      ["head 200", "dead", "end ok"],
    ],
    [
      "one byte more than the length (fault 16)",
      `${OK}Content-Length: 2\r\n\r\nok!`,
      ["head 200", "dead", "end ok"],
    ],
    ["a body where none may be (fault 41)", "HTTP/1.1 204 No\r\n\r\nab", ["head 204", "dead", "end "]],
    ["garbage", "SSH-2.0-OpenSSH\r\n", ["dead", "error ProtocolError"]],
  ];
  for (const [name, answer, log] of cases) {
    it(name, async () => {
      const bench = new Bench();
      bench.send();
      await bench.answer(answer);
      assert.deepEqual(bench.log, log);
      assert.equal(bench.client.destroyed, true);
    });
  }

  it("a request that asks for the end", async () => {
    const bench = new Bench();
    bench.send({ persistent: false });
    await bench.answer(`${OK}Content-Length: 0\r\n\r\n`);
    assert.deepEqual(bench.log, ["head 200", "dead", "end "]);
  });

  it("any byte while idle (fault 24)", async () => {
    const bench = new Bench();
    bench.send();
    await bench.answer(`${OK}Content-Length: 0\r\n\r\n`);
    await bench.answer("HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert.deepEqual(bench.log, ["head 200", "idle", "end ", "dead"]);
  });

  it("any byte before the first request", async () => {
    const bench = new Bench();
    await bench.answer("220 smtp.example ESMTP\r\n");
    assert.deepEqual(bench.log, ["dead"]);
  });

  it("EOF while idle (fault 8)", async () => {
    const bench = new Bench();
    bench.send();
    await bench.answer(`${OK}Content-Length: 0\r\n\r\n`);
    bench.server.end();
    await settle();
    assert.deepEqual(bench.log, ["head 200", "idle", "end ", "dead"]);
  });

  it("a body that ends with the connection", async () => {
    const bench = new Bench();
    bench.send();
    await bench.answer(`${OK}\r\nhello`);
    bench.server.end();
    await settle();
    assert.deepEqual(bench.log, ["head 200", "dead", "end hello"]);
  });
});

describe("failures and their facts", () => {
  async function failure(bench: Bench, act: () => Promise<void> | void): Promise<HTTPError> {
    bench.send();
    await settle();
    await act();
    await settle();
    assert.ok(bench.failed !== null, "no failure");
    assert.equal(bench.log.filter((entry) => entry === "dead").length, 1);
    return bench.failed;
  }

  it("closed before any byte (fault 6)", async () => {
    const bench = new Bench();
    const error = await failure(bench, () => void bench.server.end());
    assert.ok(error instanceof ProtocolError);
    assert.match(error.message, /Remote end closed connection without response/);
    assert.deepEqual(
      [error.reused, error.responseStarted, error.bytesWritten, error.phase, error.route],
      [false, false, 30, "head", "test:80"],
    );
  });

  it("closed in the head, on a reused connection (fault 14)", async () => {
    const bench = new Bench();
    bench.send();
    await bench.answer(`${OK}Content-Length: 0\r\n\r\n`);
    const error = await failure(bench, async () => {
      await bench.answer("HTTP/1.1 2");
      bench.server.end();
    });
    assert.match(error.message, /in the middle of the response head/);
    assert.deepEqual([error.reused, error.responseStarted], [true, true]);
  });

  it("closed in the body (fault 15)", async () => {
    const bench = new Bench();
    const error = await failure(bench, async () => {
      await bench.answer(`${OK}Content-Length: 10\r\n\r\nabc`);
      bench.server.end();
    });
    assert.ok(error instanceof IncompleteRead);
    assert.deepEqual([error.partial, error.expected, error.phase], [3, 7, "body"]);
  });

  it("reset", async () => {
    const bench = new Bench();
    const error = await failure(bench, () => void bench.server.resetAndDestroy());
    assert.ok(error instanceof ProtocolError);
  });

  it("no answer within the read timeout", async () => {
    const bench = new Bench();
    bench.send({ readTimeout: 100 });
    bench.clock.advance(99);
    assert.equal(bench.failed, null);
    bench.clock.advance(5);
    assert.match(String(bench.failed), /Read timed out. \(read timeout=100 ms\)/);
  });

  it("the read timeout is the server's silence: what it says, of a head too, begins it anew (faults 20 and 21)", async () => {
    const bench = new Bench();
    bench.send({ readTimeout: 100 });
    await bench.answer("HTTP/1.1 102 Processing\r\n\r\n");
    bench.clock.advance(90);
    await bench.answer("HTTP/1.1 200 OK\r\n");
    bench.clock.advance(90);
    await bench.answer("Content-Length: 10\r\n");
    bench.clock.advance(90);
    assert.equal(bench.failed, null);
    bench.clock.advance(20);
    assert.match(String(bench.failed), /ReadTimeoutError/);

    const slow = new Bench();
    slow.send({ readTimeout: 100 });
    await slow.answer(`${OK}Content-Length: 5\r\n\r\n`);
    for (const letter of "hello") {
      slow.clock.advance(90);
      await slow.answer(letter);
    }
    assert.equal(String(slow.body), "hello");
  });

  it("an exchange given up by its receiver in the read that ended it crashed the process", async () => {
    for (const length of [20_000, 40_000]) {
      const bench = new Bench();
      bench.send({
        collect: false,
        onBody: () => {
          bench.connection.cancel();
          return true;
        },
      });
      await bench.answer(`${OK}Content-Length: ${length}\r\n\r\n`, "x".repeat(length));
      assert.deepEqual(bench.log, ["head 200", "dead"]);
    }
  });

  it("close() ends an exchange with the given error, or silently", async () => {
    const bench = new Bench();
    bench.send();
    bench.connection.close();
    bench.connection.close();
    await settle();
    assert.deepEqual(bench.log, ["dead"]);
    assert.equal(bench.clock.pending, 0);
  });
});
