/** Archives in the developer tools of Debian's Chromium: read by their own importer, and by the network panel. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { recordHar } from "../../../src/har.ts";
import { PoolManager } from "../../../src/index.ts";
import { Chromium } from "../../kit/chromium.ts";
import { skipWithout } from "../../kit/daemon.ts";
import { type HttpOrigin, startHttp } from "../../kit/http-origin.ts";

/** What the importer makes of an archive. */
const READ = `async (text) => {
  const { HARFormat, Importer } = await import("./models/har/har.js");
  const { log } = new HARFormat.HARRoot(JSON.parse(text));
  return Promise.all(Importer.Importer.requestsFromHARLog(log).map(async (request) => {
    const content = await request.requestContentData();
    return {
      method: request.requestMethod,
      url: request.url(),
      status: request.statusCode + " " + request.statusText,
      protocol: request.protocol,
      type: request.resourceType().name(),
      mimeType: request.mimeType ?? null,
      remote: request.remoteAddress(),
      connection: request.connectionId,
      sent: await request.requestFormData(),
      body: content.isTextContent ? content.text : "base64 " + content.base64,
      header: request.responseHeaderValue("x-own") ?? null,
      cookie: request.responseHeaderValue("set-cookie") ?? null,
      transferred: request.transferSize,
      size: request.resourceSize,
      duration: request.duration,
      connected: request.timing.connectEnd >= 0,
    };
  }));
}`;

/** As "Import HAR file" of the panel has it: the URLs and statuses that it then lists. */
const SHOW = `async (text) => {
  const { NetworkPanel } = await import("./panels/network/network.js");
  const panel = NetworkPanel.NetworkPanel.instance({ forceNew: true, displayScreenshotRecorder: false });
  await panel.networkLogView.onLoadFromFile(new File([text], "session.har"));
  const { NetworkLog } = await import("./models/logs/logs.js");
  return NetworkLog.NetworkLog.instance().requests().map((request) => request.statusCode + " " + request.url());
}`;

interface Read {
  readonly url: string;
  readonly size: number;
  readonly [name: string]: unknown;
}

describe("the developer tools of Chromium", { skip: skipWithout("chromium") }, () => {
  let origin: HttpOrigin;
  let chromium: Chromium;
  let run: (script: string) => Promise<unknown>;
  let text: string;

  before(async () => {
    origin = await startHttp(({ target }) => {
      if (target === "/from") return { status: 302, headers: { Location: "/to" }, body: "moved" };
      if (target === "/image")
        return { headers: { "Content-Type": "image/png" }, body: Buffer.from([0xff, 0xfe, 0]) };
      if (target === "/broken") return { body: "half", contentLength: 100, close: true };
      const headers = { "Content-Type": "application/json", "Set-Cookie": "sid=s3cr3t", "X-Own": "1" };
      return { headers, body: '{"é":1}' };
    });
    const manager = new PoolManager({ retries: 1 });
    const recorder = recordHar(manager);
    await manager.request("GET", `${origin.url}/from`);
    await manager.request("POST", `${origin.url}/post?q=1`, { json: { a: 1 } });
    await manager.request("GET", `${origin.url}/image`);
    await manager.request("GET", `${origin.url}/broken`, { retries: false }).catch(() => {});
    recorder.stop();
    manager.clear();
    text = JSON.stringify(recorder);
    chromium = await Chromium.start();
    run = await chromium.tools();
  });
  after(async () => {
    await chromium[Symbol.asyncDispose]();
    await origin.close();
  });

  it("read every entry: lines, fields, bodies, sizes, times, connections", async () => {
    const seen = (await run(`(${READ})(${JSON.stringify(text)})`)) as Read[];
    const remote = `127.0.0.1:${origin.port}`;
    const connections = new Set(seen.map(({ connection }) => connection));
    assert.equal(connections.size, 1);
    assert.match(String([...connections][0]), /^\d+$/);
    for (const { duration, transferred, protocol, type } of seen) {
      assert.ok((duration as number) > 0 && (duration as number) < 60);
      assert.ok((transferred as number) > 50);
      assert.deepEqual([protocol, type], ["http/1.1", "fetch"]);
    }
    const shown = seen.map(
      ({ duration: _, transferred: _1, protocol: _2, type: _3, connection: _4, ...rest }) => ({
        ...rest,
        url: rest.url.slice(origin.url.length),
      }),
    );
    const none = { sent: null, header: null, cookie: null, remote, connected: false };
    const json = {
      mimeType: "application/json",
      header: "1",
      cookie: "***",
      body: '{"é":1}',
      size: 8,
    };
    assert.deepEqual(shown, [
      // The whole answer is its size: nothing of a body that was not recorded.
      {
        ...none,
        method: "GET",
        url: "/from",
        status: "302 Found",
        connected: true,
        mimeType: null,
        body: "",
        size: shown[0]!.size,
      },
      { ...none, ...json, method: "GET", url: "/to", status: "200 OK" },
      { ...none, ...json, method: "POST", url: "/post?q=1", status: "200 OK", sent: '{"a":1}' },
      {
        ...none,
        method: "GET",
        url: "/image",
        status: "200 OK",
        mimeType: "image/png",
        body: "base64 //4A",
        size: 3,
      },
      {
        ...none,
        method: "GET",
        url: "/broken",
        status: "200 OK",
        mimeType: null,
        body: "",
        size: shown[4]!.size,
      },
    ]);
  });

  it("list them in the network panel, as a file that was imported", async () => {
    const listed = (await run(`(${SHOW})(${JSON.stringify(text)})`)) as string[];
    assert.deepEqual(
      listed.map((line) => line.replace(origin.url, "")),
      ["302 /from", "200 /to", "200 /post?q=1", "200 /image", "200 /broken"],
    );
  });
});
