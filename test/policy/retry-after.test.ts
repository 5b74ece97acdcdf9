import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseHTTPDate, retryAfterDelay } from "../../src/policy/retry-after.ts";

const NOW = Date.UTC(2019, 5, 3, 11, 0, 0);

const valid: [value: string, delay: number][] = [
  ["0", 0],
  ["3", 3_000],
  ["3600", 3_600_000],
  ["007", 7_000],
  [" 12 ", 12_000],
  ["\t12", 12_000],
  ["Mon, 03 Jun 2019 11:30:12 GMT", 1_812_000],
  ["Mon, 3 Jun 2019 12:00:00 UTC", 3_600_000],
  ["Mon, 03 Jun 2019 12:00:00", 3_600_000],
  ["Monday, 03-Jun-19 11:30:12 GMT", 1_812_000],
  ["Mon Jun  3 11:30:12 2019", 1_812_000],
  ["Mon Jun 10 11:00:00 2019", 7 * 86_400_000],
  [" Mon, 03 Jun 2019 11:30:12 GMT ", 1_812_000],
  ["Mon, 03 Jun 2019 11:00:60 GMT", 60_000],
  ["Mon, 03 Jun 2019 11:00:00 GMT", 0],
  ["Mon, 03 Jun 2019 10:00:00 GMT", 0],
  ["Sun, 06 Nov 1994 08:49:37 GMT", 0],
  ["Sat, 29 Feb 2020 11:00:00 GMT", Date.UTC(2020, 1, 29, 11) - NOW],
  // The day's name is not held against the date.
  ["Tue, 03 Jun 2019 11:30:12 GMT", 1_812_000],
];

test("RT-24, RT-26: seconds and the three forms of HTTP-date", () => {
  for (const [value, delay] of valid) assert.equal(retryAfterDelay(value, NOW), delay, value);
});

const malformed = [
  "",
  " ",
  "-1",
  "+1",
  "1.0",
  "1e3",
  "0x10",
  "1_000",
  "1 2",
  "1,2",
  "soon",
  "\u00b2",
  "\u0663",
  "1\u00a0",
  "3\n",
  "Infinity",
  "2019-06-03T12:00:00Z",
  "03 Jun 2019 12:00:00 GMT",
  "Mon, 03 Jun 2019 12:00:00 EST",
  "Mon, 03 Jun 2019 12:00:00 +0200",
  "Mon, 03 Jun 2019 24:00:00 GMT",
  "Mon, 03 Jun 2019 12:60:00 GMT",
  "Mon, 03 Jun 2019 12:00:61 GMT",
  "Mon, 00 Jun 2019 12:00:00 GMT",
  "Mon, 31 Jun 2019 12:00:00 GMT",
  "Fri, 29 Feb 2019 12:00:00 GMT",
  "Mon, 32 Jan 2019 12:00:00 GMT",
  "Mon, 03 jun 2019 12:00:00 GMT",
  "Xyz, 03 Jun 2019 12:00:00 GMT",
  "Mon, 03 Jun 19 12:00:00 GMT",
  "Mon, 03 Jun 2019 12:00 GMT",
  "Monday, 03-Jun-2019 12:00:00 GMT",
  "Mon, 03-Jun-19 12:00:00 GMT",
  "Mon Jun 3 11:30:12 2019",
  "Mon Jun  3 11:30:12 2019 GMT",
  "Mon, 03 Jun 2019 12:00:00 GMT, 5",
];

test("RT-23: what is neither is refused", () => {
  for (const value of malformed) assert.equal(retryAfterDelay(value, NOW), null, JSON.stringify(value));
});

test("a two-digit year is the one within 50 years", () => {
  const year = (digits: string, now: number) =>
    new Date(
      parseHTTPDate(`Monday, 03-Jun-${digits} 12:00:00 GMT`, Date.UTC(now, 0)) as number,
    ).getUTCFullYear();
  assert.equal(year("94", 2019), 1994);
  assert.equal(year("69", 2019), 2069);
  assert.equal(year("70", 2019), 1970);
  assert.equal(year("19", 2019), 2019);
  assert.equal(year("00", 2019), 2000);
});

test("property: a date in any form comes back, to the second", () => {
  const names = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
  const seconds = fc.integer({ min: Date.UTC(1975, 0) / 1000, max: Date.UTC(2068, 0) / 1000 });
  const property = fc.property(seconds, (second) => {
    const date = new Date(second * 1000);
    const imf = date.toUTCString(); // Sun, 06 Nov 1994 08:49:37 GMT
    const [, day, month, year, time] = imf.split(" ") as [string, string, string, string, string];
    const name = names[date.getUTCDay()] as string;
    assert.equal(parseHTTPDate(imf, NOW), second * 1000);
    assert.equal(parseHTTPDate(`${name}, ${day}-${month}-${year.slice(2)} ${time} GMT`, NOW), second * 1000);
    const padded = String(Number(day)).padStart(2);
    assert.equal(parseHTTPDate(`${name.slice(0, 3)} ${month} ${padded} ${time} ${year}`, NOW), second * 1000);
  });
  fc.assert(property, { seed: 20260101 });
});

test("property: no text makes it throw, and a delay is never below 0", () => {
  const property = fc.property(fc.oneof(fc.string(), fc.constantFrom(...malformed)), (text) => {
    const delay = retryAfterDelay(text, NOW);
    assert.ok(delay === null || delay >= 0);
  });
  fc.assert(property, { seed: 20260101 });
});
