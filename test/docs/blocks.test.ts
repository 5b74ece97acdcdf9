import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asProgram, type CodeBlock, codeBlocks, withModule } from "./blocks.ts";

function block(code: string): CodeBlock {
  return { place: "a.md:1", language: "js", code, output: null };
}

describe("codeBlocks", () => {
  it("finds js and ts blocks and where they begin", () => {
    const text = "text\n\n```js\na;\n\nb;\n```\n\n```sh\nls\n```\n```ts\nc;\n```\n";
    assert.deepEqual(codeBlocks("a.md", text), [
      { place: "a.md:3", language: "js", code: "a;\n\nb;", output: null },
      { place: "a.md:12", language: "ts", code: "c;", output: null },
    ]);
  });

  it("takes a text block right after one for its output", () => {
    const [one] = codeBlocks("a.md", "```js\na;\n```\n\n```text\nx\n\ny\n```\n");
    assert.deepEqual(one?.output, ["x", "", "y"]);
    const [other] = codeBlocks("a.md", "```js\na;\n```\nand also\n```text\nx\n```\n");
    assert.equal(other?.output, null);
  });

  it("takes comments after console.log for the output", () => {
    const code = 'console.log(a, "b"); // 1 b\n  console.log(f(2)); // [ 2 ]\nx(); // 3\n// console.log(4);';
    const [one] = codeBlocks("a.md", `\`\`\`js\n${code}\n\`\`\`\n`);
    assert.deepEqual(one?.output, ["1 b", "[ 2 ]"]);
  });
});

describe("asProgram", () => {
  const names = ["PoolManager", "Retry", "request"];

  for (const [code, imported, own] of [
    ["new Retry({ retry: 1 });", "Retry", true],
    ["await manager.request();", "PoolManager", false],
    ["const manager = new PoolManager();", "PoolManager", true],
    ["await using manager = new PoolManager();", "PoolManager", true],
    ['import { PoolManager } from "urlpool";\nnew PoolManager(new Retry());', "Retry", true],
    ["f(...request());", "request", true],
    ['"Retry"; a.Retry; Retrying;', "", true],
  ] as const) {
    it(`gives ${JSON.stringify(code)} what it does not declare`, () => {
      const declared = own ? "" : "const manager = new PoolManager(10);\n";
      const expected = `import { ${imported} } from "urlpool";\n${declared}${code}\nexport {};\n`;
      assert.equal(asProgram(block(code), names), expected);
    });
  }
});

describe("withModule", () => {
  it("puts other modules in the place of the package and its subpaths, and nowhere else", () => {
    const program =
      'import { a } from "urlpool";\nimport b from "urlpool/b";\nawait import("urlpool");\nsay("urlpool");\n';
    const expected =
      'import { a } from "file:///x/index.mjs";\nimport b from "file:///x/b.mjs";\nawait import("file:///x/index.mjs");\nsay("urlpool");\n';
    assert.equal(withModule(program, "file:///x"), expected);
  });
});
