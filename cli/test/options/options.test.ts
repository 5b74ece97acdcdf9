/** The table of options: what it parses, what it shows. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EXIT, EXIT_MEANINGS, UsageError } from "../../src/failure.ts";
import { helpOf, markdown, overview } from "../../src/options/help.ts";
import { parse } from "../../src/options/parse.ts";
import { COMMANDS } from "../../src/options/spec.ts";
import { letterOf, OPTIONS, optionsOf } from "../../src/options/table.ts";
import { ROOT, run } from "../kit.ts";

/** The options that users of curl guess. */
const GUESSED = `-H -d --data-raw -F --json -u -x --noproxy -o -O -L -k --cacert -E -m --connect-timeout --retry --resolve
  --unix-socket -4 -6 -v -s -i -I -w --fail --compressed --http2 --cookie-jar --har --waterfall`;

describe("the table of options", () => {
  it("has what users of curl guess, in get or post", () => {
    const known = COMMANDS.flatMap((command) =>
      optionsOf(command).flatMap(([name, spec]) => [`--${name}`, `-${letterOf(spec, command)}`]),
    );
    assert.deepEqual(
      GUESSED.split(/\s+/).filter((name) => !known.includes(name)),
      [],
    );
  });

  it("uses no letter twice in one command, and -h for help only", () => {
    for (const command of COMMANDS) {
      const letters = optionsOf(command)
        .map(([, spec]) => letterOf(spec, command))
        .filter((each) => each !== undefined);
      assert.equal(new Set(letters).size, letters.length, command);
      assert.ok(!letters.includes("h"));
    }
  });

  it("gives every option that has a value a word for it, and every flag none", () => {
    for (const [name, { kind, value }] of Object.entries(OPTIONS))
      assert.equal(value === undefined, kind === "flag", name);
  });
});

describe("parsing", () => {
  it("reads letters together, values in every form, lists, and what is no option", () => {
    const { command, values, args } = parse([
      "get",
      "-kL",
      "-Ha: b",
      "-H",
      "c: d",
      "--max-time=1.5",
      "-m.25",
      "u",
      "-o-",
      "--",
      "-v",
    ]);
    assert.deepEqual([command, args], ["get", ["u", "-v"]]);
    assert.deepEqual([values.insecure, values.location, values.verbose], [true, true, false]);
    assert.deepEqual([values.header, values["max-time"], values.output], [["a: b", "c: d"], 250, ["-"]]);
    assert.deepEqual([values.data, values.user, values.retry], [[], undefined, undefined]);
  });

  it("reads a letter as its command means it", () => {
    assert.deepEqual(
      [parse(["get", "-i", "-o", "f"]).values.include, parse(["get", "-o", "f"]).values.output],
      [true, ["f"]],
    );
    const { input, "output-dir": folder } = parse(["fetch-all", "-i", "list", "-o", "d"]).values;
    assert.deepEqual([input, folder], ["list", "d"]);
  });

  it("reads rates", () => {
    const rateOf = (text: string): number | undefined => parse(["fetch-all", "--rate", text]).values.rate;
    assert.deepEqual([rateOf("10"), rateOf("10/s"), rateOf("600/m"), rateOf("1800/h")], [10, 10, 10, 0.5]);
    for (const text of ["0", "fast", "10/d", "-1"]) assert.throws(() => rateOf(text), UsageError);
  });

  it("says what is wrong, and what may be meant", () => {
    assert.throws(
      () => parse(["get", "--locatoin"]),
      /Unknown option '--locatoin' \(is --location meant\?\); see urlpool get --help/,
    );
    assert.throws(() => parse(["get", "--retry", "-1"]), UsageError);
    assert.throws(() => parse(["get", "--retry", "x"]), /--retry must be a whole number, not 'x'/);
    assert.throws(() => parse(["fetch"]), /no such command: fetch/);
    assert.throws(() => parse(["head", "-d", "x"]), UsageError);
  });
});

describe("help", () => {
  it("shows every option and examples that parse", () => {
    for (const command of COMMANDS) {
      const text = helpOf(command);
      for (const [name] of optionsOf(command)) assert.ok(text.includes(`--${name}`), `${command} --${name}`);
      const examples = text.split("Examples:\n")[1]!.split("\n\n")[0]!.split("\n");
      assert.ok(examples.length > 0);
      for (const example of examples) {
        const words = example.slice(example.indexOf("urlpool ") + 8).replace(/ [>|] .*/, "");
        const argv = [...words.matchAll(/'([^']*)'|\S+/g)].map(([whole, quoted]) => quoted ?? whole);
        assert.equal(parse(argv).command, command);
      }
      for (const line of text.split("\n")) assert.ok(line.length <= 105, line);
    }
    for (const command of COMMANDS) assert.ok(overview("1").includes(`  ${command}`));
  });

  it("names every exit code", () => {
    assert.deepEqual(EXIT_MEANINGS.map(([code]) => code).sort(), Object.values(EXIT).sort());
  });

  it("is what the documentation shows", () => {
    const [, tables] = readFileSync(join(ROOT, "cli/README.md"), "utf8").split(
      /<!-- options:(?:start|end) -->\n/,
    );
    assert.equal(tables, markdown(), "node cli/dist/urlpool.js help --markdown prints the tables");
  });

  it("comes from the command, with its version", async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    assert.equal((await run(["--version"])).text, `${version}\n`);
    assert.equal((await run([])).text, overview(version));
    for (const args of [
      ["get", "--help"],
      ["help", "get"],
      ["get", "-h", "http://unused.invalid/"],
    ]) {
      assert.equal((await run(args)).text, helpOf("get"));
    }
  });
});
