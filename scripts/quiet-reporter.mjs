/**
 * A reporter for Node's test runner whose output is short enough to read in a log: each failure with its place and
 * error, what tests print, and the runner's own summary as the last lines (`# tests 3`, `# pass 2`, ...).
 */

import { relative } from "node:path";
import { inspect } from "node:util";

const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

export default async function* quietReporter(events) {
  const summary = [];
  /** Names of the tests we are in, by depth. */
  const path = [];
  for await (const { type, data } of events) {
    if (type === "test:start") path.splice(data.nesting, path.length, data.name);
    else if (type === "test:fail") yield failure(data, path.slice(0, data.nesting));
    else if (type === "test:pass" && wasSkipped(data)) yield `skipped: ${data.name} (${data.skip})\n`;
    else if (type === "test:stdout" || type === "test:stderr") yield data.message;
    else if (type !== "test:diagnostic") continue;
    else if (data.nesting === 0 && SUMMARY.test(data.message)) summary.push(`# ${data.message}\n`);
    else yield `${data.message}\n`;
  }
  yield* summary;
}

/** With a reason worth reading, that is: not because of --test-name-pattern. */
function wasSkipped({ skip }) {
  return typeof skip === "string" && !skip.startsWith("test name");
}

function failure(data, parents) {
  const { error } = data.details;
  // A suite fails because a test in it did: said already.
  if (error.failureType === "subtestsFailed" || data.todo !== undefined) return "";
  const place = data.file === undefined ? "" : ` (${relative(process.cwd(), data.file)}:${data.line})`;
  const text = inspect(error.cause ?? error, { depth: 5 }).replaceAll("\n", "\n    ");
  return `\nFAILED: ${[...parents, data.name].join(" > ")}${place}\n    ${text}\n\n`;
}
