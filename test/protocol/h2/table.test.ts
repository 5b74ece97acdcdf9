import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FieldTable } from "../../../src/protocol/h2/table.ts";
import { seededRandom } from "../../kit/seed.ts";

function insert(table: FieldTable, name: string, value: string): void {
  const line = Buffer.from(`${name}: ${value}\r\n`);
  table.insert(line, 0, name.length, line.length, 0);
}

function entries(table: FieldTable): string[] {
  return Array.from({ length: table.count }, (_unused, index) => {
    const slot = table.slot(index);
    const from = table.offset(slot);
    return table.source(slot).toString("latin1", from, from + table.lineLength(slot) - 2);
  });
}

describe("the dynamic table", () => {
  it("counts names, values and 32 octets each, newest first", () => {
    const table = new FieldTable(4096);
    insert(table, "custom-key", "custom-header");
    insert(table, "a", "");
    assert.equal(table.size, 55 + 33);
    assert.deepEqual(entries(table), ["a: ", "custom-key: custom-header"]);
    assert.equal(table.slot(2), -1);
  });

  it("evicts the oldest for a new one", () => {
    const table = new FieldTable(100);
    insert(table, "a", "1");
    insert(table, "b", "2");
    insert(table, "c", "3");
    assert.deepEqual(entries(table), ["c: 3", "b: 2"]);
    assert.equal(table.size, 68);
  });

  it("is emptied by an entry that is too large, and goes on", () => {
    const table = new FieldTable(100);
    insert(table, "a", "1");
    insert(table, "b", "x".repeat(68));
    assert.equal(table.count, 0);
    assert.equal(table.size, 0);
    insert(table, "c", "x".repeat(67));
    assert.equal(table.size, 100);
  });

  it("keeps the name of an entry that making room has just evicted", () => {
    const table = new FieldTable(64);
    for (let round = 0; round < 50; round++) {
      insert(table, "name", `${round}`.padStart(26, "."));
      const slot = table.slot(0);
      const from = table.offset(slot);
      // The new line takes its name from the table itself.
      const line = Buffer.concat([
        table.source(slot).subarray(from, from + table.nameLength(slot)),
        Buffer.from(": x\r\n"),
      ]);
      table.insert(line, 0, 4, line.length, 0);
      assert.deepEqual(entries(table), ["name: x"]);
    }
  });

  it("shrinks and grows as told", () => {
    const table = new FieldTable(4096);
    for (const name of ["a", "b", "c"]) insert(table, name, "1");
    table.resize(70);
    assert.deepEqual(entries(table), ["c: 1", "b: 1"]);
    table.resize(0);
    assert.deepEqual(entries(table), []);
    insert(table, "d", "1");
    assert.deepEqual(entries(table), []);
    table.resize(4096);
    insert(table, "e", "1");
    assert.deepEqual(entries(table), ["e: 1"]);
  });

  it("holds what a list of strings would hold, whatever is done to it", () => {
    const random = seededRandom();
    const table = new FieldTable(1024);
    let model: string[] = [];
    let limit = 1024;
    const sizeOf = (lines: string[]): number => lines.reduce((sum, line) => sum + line.length + 30, 0);
    for (let step = 0; step < 20_000; step++) {
      if (random.chance(0.02)) {
        limit = random.integer(0, 1024);
        table.resize(limit);
      } else {
        const line = `n${random.integer(0, 99)}: ${"v".repeat(random.integer(0, random.chance(0.1) ? 1200 : 60))}`;
        insert(table, line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2));
        model = line.length + 30 > limit ? [] : [line, ...model];
      }
      while (sizeOf(model) > limit) model.pop();
      assert.deepEqual(entries(table), model);
      assert.equal(table.size, sizeOf(model));
    }
  });
});
