import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import type { Clock } from "../../src/core/clock.ts";
import { serveHttp } from "./http-origin.ts";
import { OriginConnection } from "./origin-connection.ts";
import { seededRandom } from "./seed.ts";
import { type Wire, wirePair } from "./wire.ts";

function collect(wire: Wire): string[] {
  const chunks: string[] = [];
  wire.on("data", (chunk: Buffer) => chunks.push(chunk.toString("latin1")));
  return chunks;
}

/** Lets everything that needs no clock happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what is written arrives later, in order, one packet for each write", async () => {
  const [a, b] = wirePair();
  const chunks = collect(b);
  const source = Buffer.from("one");
  a.write(source);
  source.fill(0);
  a.write("two", "latin1");
  assert.deepEqual(chunks, []);
  await settle();
  assert.deepEqual(chunks, ["one", "two"]);
  assert.equal(a.bytesWritten, 6);
  assert.equal(b.bytesRead, 6);
});

test("corked writes leave as one packet", async () => {
  const [a, b] = wirePair();
  const chunks = collect(b);
  a.cork();
  a.write("head ");
  a.write("body");
  assert.equal(a.writableLength, 9);
  a.uncork();
  await settle();
  assert.deepEqual(chunks, ["head body"]);
  assert.equal(a.packetsSent, 1);
});

test("chunks have the size given, or one picked by the generator", async () => {
  const [a, b] = wirePair({ chunkSize: 2 });
  const chunks = collect(b);
  a.write("abcde");
  await settle();
  assert.deepEqual(chunks, ["ab", "cd", "e"]);

  const play = async (seed: number): Promise<string[]> => {
    const [c, d] = wirePair({ random: seededRandom(seed), chunkSize: 8 });
    const pieces = collect(d);
    c.write("x".repeat(100));
    await settle();
    return pieces;
  };
  const pieces = await play(3);
  assert.equal(pieces.join("").length, 100);
  assert.ok(
    pieces.every((piece) => piece.length <= 8) && new Set(pieces.map((piece) => piece.length)).size > 3,
  );
  assert.deepEqual(await play(3), pieces);
  assert.notDeepEqual(await play(4), pieces);
});

test("latency is time on the clock that was given", async () => {
  const clock = manualClock();
  const [a, b] = wirePair({ clock, latency: 50 });
  const chunks = collect(b);
  a.write("1");
  clock.advance(20);
  a.write("2");
  clock.advance(29);
  await settle();
  assert.deepEqual(chunks, []);
  clock.advance(1);
  await settle();
  assert.deepEqual(chunks, ["1"]);
  clock.advance(20);
  await settle();
  assert.deepEqual(chunks, ["1", "2"]);
  a.write("3");
  b.destroy();
  assert.equal(clock.pending(), 0, "an end that is gone waits for nothing");
  assert.throws(() => wirePair({ latency: 1 }), /needs a clock/);
});

test("deliveries can be collected and put in another order", async () => {
  const deliveries: (() => void)[] = [];
  const schedule = (deliver: () => void): unknown => deliveries.push(deliver);
  const [a, b] = wirePair({ schedule });
  const [c, d] = wirePair({ schedule });
  const order: string[] = [];
  b.on("data", () => order.push("b"));
  d.on("data", () => order.push("d"));
  a.write("1");
  c.write("2");
  for (const deliver of deliveries.reverse()) deliver();
  assert.deepEqual(order, ["d", "b"]);
});

test("onread puts data into the buffers handed out, and pauses on false", async () => {
  const reads: string[] = [];
  const buffers = [Buffer.alloc(4), null, Buffer.alloc(2)];
  let handedOut = 0;
  const [a, b] = wirePair({
    server: {
      onread: {
        buffer: () => buffers[handedOut++] ?? null,
        callback: (count, buffer) => {
          reads.push(`${Buffer.from(buffer.subarray(0, count)).toString()}/${buffer.length}`);
          return reads.length !== 3;
        },
      },
    },
  });
  a.write("abcdefghijkl");
  a.end();
  await settle();
  assert.deepEqual(reads, ["abcd/4", "efgh/4", "ij/2"]);
  assert.equal(b.isPaused(), true);
  assert.equal(b.readableEnded, false);
  b.resume();
  await once(b, "end");
  assert.deepEqual(reads.at(-1), "kl/2");
});

test("a reader that does not read holds a window, then the writer's buffer grows and later drains", async () => {
  const [a, b] = wirePair({ window: 10, highWaterMark: 8 });
  assert.equal(a.write("0123456789"), false, "at or over the mark, though it goes out at once");
  await once(a, "drain");
  assert.equal(a.write("abc"), true);
  assert.equal(a.write("defgh"), false);
  await settle();
  assert.equal(a.writableLength, 8);
  assert.equal(a.writableNeedDrain, true);
  const drained = once(a, "drain");
  const chunks = collect(b);
  await drained;
  await settle();
  assert.equal(chunks.join(""), "0123456789abcdefgh");
  assert.equal(a.writableLength, 0);
});

test("a wire that never drains keeps its writes until it is unstalled", async () => {
  const [a, b] = wirePair({ client: { neverDrains: true, highWaterMark: 4 } });
  const chunks = collect(b);
  const written: string[] = [];
  a.write("abcd", () => written.push("called back"));
  a.end();
  await settle();
  assert.deepEqual([chunks, written, a.writableLength], [[], [], 4]);
  a.unstall();
  await settle();
  assert.deepEqual([chunks, written, a.writableFinished], [["abcd"], ["called back"], true]);
});

test("half-close: one direction ends, the other goes on", async () => {
  const [a, b] = wirePair({ allowHalfOpen: true });
  const [atA, atB] = [collect(a), collect(b)];
  a.end("last");
  await once(b, "end");
  assert.equal(a.destroyed, false);
  b.write("answer");
  await settle();
  assert.deepEqual([atA, atB], [["answer"], ["last"]]);
  b.end();
  await once(a, "close");
  assert.deepEqual([a.destroyed, b.destroyed, a.errored], [true, true, null]);
});

test("without half-open an end answers the other's FIN with its own, as a socket does", async () => {
  const [a, b] = wirePair();
  a.resume();
  b.resume();
  b.end();
  const [hadError] = (await once(a, "close")) as [boolean];
  assert.equal(hadError, false);
  assert.equal(a.writableEnded, true);
});

test("a reset comes after what was sent, as ECONNRESET", async () => {
  const [a, b] = wirePair();
  const chunks = collect(a);
  b.write("partial");
  b.resetAndDestroy();
  const [error] = (await once(a, "error")) as unknown as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
  assert.deepEqual(chunks, ["partial"]);
  assert.equal(a.destroyed, true);
});

test("writing to an end that is gone is answered with a reset; after end or destroy it is refused", async () => {
  const [a, b] = wirePair({ allowHalfOpen: true });
  a.resume();
  b.destroy();
  await once(a, "end");
  a.write("into the void");
  const [reset] = (await once(a, "error")) as unknown as [NodeJS.ErrnoException];
  assert.equal(reset.code, "ECONNRESET");
  assert.equal(a.write("x"), false);

  const [c] = wirePair();
  c.end();
  c.write("late");
  const [late] = (await once(c, "error")) as unknown as [NodeJS.ErrnoException];
  assert.equal(late.code, "ERR_STREAM_WRITE_AFTER_END");
});

test("a connecting wire sends nothing before it is connected, and may fail instead", async () => {
  const [a, b] = wirePair({ connecting: true });
  const chunks = collect(b);
  a.write("early");
  await settle();
  assert.deepEqual([chunks, a.connecting, b.connecting], [[], true, false]);
  const connected = once(a, "connect");
  a.completeConnect();
  await connected;
  await settle();
  assert.deepEqual(chunks, ["early"]);

  const [c] = wirePair({ connecting: true });
  c.failConnect();
  const [refused] = (await once(c, "error")) as unknown as [NodeJS.ErrnoException];
  assert.deepEqual([refused.code, refused.syscall], ["ECONNREFUSED", "connect"]);
});

test("the origin's verbs work on a wire", async () => {
  const [a, b] = wirePair({ chunkSize: 3 });
  const served = serveHttp(new OriginConnection(b), () => "hello");
  const chunks = collect(a);
  a.write("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  await Promise.all([served, once(a, "close")]);
  assert.match(chunks.join(""), /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello$/);
});

test("a pair behaves as two sockets do: the same events in the same order", async () => {
  const play = async (client: Wire | net.Socket, server: Wire | net.Socket): Promise<string[]> => {
    const events: string[] = [];
    for (const [name, end] of [
      ["client", client],
      ["server", server],
    ] as const) {
      for (const event of ["end", "finish", "close"]) {
        end.on(event, (detail?: unknown) => events.push(`${name} ${event} ${detail ?? ""}`.trim()));
      }
      end.on("data", (chunk: Buffer) => events.push(`${name} data ${chunk}`));
    }
    client.write("question");
    await once(server, "data");
    server.end("answer");
    await Promise.all([once(client, "close"), once(server, "close")]);
    return ["client", "server"].flatMap((name) => events.filter((event) => event.startsWith(name)));
  };
  const listener = net.createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const accepted = once(listener, "connection") as Promise<[net.Socket]>;
  const socket = net.connect((listener.address() as net.AddressInfo).port, "127.0.0.1");
  const real = await play(socket, (await accepted)[0]);
  listener.close();
  assert.deepEqual(await play(...wirePair()), real);
});

interface ManualClock extends Clock {
  advance(ms: number): void;
  pending(): number;
}

function manualClock(): ManualClock {
  let now = 0;
  const timers = new Set<{ due: number; callback: () => void }>();
  return {
    now: () => now,
    wallNow: () => now,
    setTimer: (callback, delay) => {
      const timer = { due: now + delay, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    afterPoll: (callback) => callback(),
    advance: (ms) => {
      now += ms;
      for (const timer of [...timers].filter(({ due }) => due <= now)) {
        timers.delete(timer);
        timer.callback();
      }
    },
    pending: () => timers.size,
  };
}
