/**
 * The behavioural table of fetch: each of its rows is seen on the platform's fetch and on ours. They show the same, but
 * for the differences that a row names.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createFetch, PoolManager } from "../../../src/index.ts";
import { BODIES } from "./table/bodies.ts";
import { FAILURES } from "./table/failures.ts";
import { FIELDS } from "./table/fields.ts";
import { INPUT } from "./table/input.ts";
import { type Case, outcome, Place } from "./table/place.ts";
import { REDIRECTS } from "./table/redirects.ts";
import { RESPONSES } from "./table/responses.ts";

const CASES: readonly Case[] = [...INPUT, ...FIELDS, ...BODIES, ...REDIRECTS, ...RESPONSES, ...FAILURES];

/** The rows of the table. */
const ROWS = 159;

describe("fetch beside the platform's", () => {
  let place: Place;
  let manager: PoolManager;
  before(async () => {
    place = await Place.start();
    manager = new PoolManager({ retries: false });
  });
  after(async () => {
    manager.clear();
    await place.close();
  });

  for (const one of CASES) {
    it(`row ${one.row}: ${one.name}`, async () => {
      const ours = await outcome(() => one.run(createFetch(manager), place));
      if (one.ours !== undefined) assert.deepEqual(ours, one.ours.shows, one.ours.because);
      else assert.deepEqual(ours, await outcome(() => one.run(globalThis.fetch, place)));
    });
  }

  it("has every row, and at least 150 of them as the platform or the standard has them", () => {
    const rows = new Set(CASES.map(({ row }) => row));
    const all = Array.from({ length: ROWS }, (_row, index) => index + 1);
    assert.deepEqual(
      all.filter((row) => !rows.has(row)),
      [],
    );
    const different = CASES.filter(({ ours }) => ours?.standard === false).map(({ row }) => row);
    assert.deepEqual(different, [6, 12, 64, 147]);
    assert.ok(ROWS - new Set(different).size >= 150);
  });
});
