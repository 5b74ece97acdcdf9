import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import { assertNoLeaks, leaksSince, takeBaseline } from "./leak-gate.ts";
import { startOrigin } from "./origin.ts";

test("an open client socket is a leak, even when it is unref'd", async () => {
  await using origin = await startOrigin("");
  const baseline = takeBaseline();
  const socket = net.connect(origin.port, origin.host);
  await once(socket, "connect");
  socket.unref();
  await assert.rejects(
    assertNoLeaks(baseline),
    new RegExp(`client socket open .* -> 127.0.0.1:${origin.port}`),
  );
  socket.destroy();
  await assertNoLeaks(baseline);
});

test("a pending timer is a leak, even when it is unref'd, and its place is named", async () => {
  const baseline = takeBaseline();
  const timer = systemClock.setTimer(() => {}, 60_000);
  assert.match(leaksSince(baseline).join(), /timer set at .*leak-gate\.test/);
  timer.cancel();
  await assertNoLeaks(baseline);
  await new Promise<void>((resolve) => systemClock.setTimer(resolve, 1, true));
  await assertNoLeaks(baseline);
});

test("a listening server is a leak until it is closed", async () => {
  const baseline = takeBaseline();
  const origin = await startOrigin("");
  assert.deepEqual(leaksSince(baseline), ["1 more TCPServerWrap"]);
  await origin.close();
  await assertNoLeaks(baseline);
});

test("what was open before is no leak", async () => {
  await using origin = await startOrigin("");
  const socket = net.connect(origin.port, origin.host);
  await once(socket, "connect");
  await origin.connection(0);
  await assertNoLeaks(takeBaseline());
  socket.destroy();
});
