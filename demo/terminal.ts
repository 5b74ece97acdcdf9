/** Output that looks good in a terminal and reads well in a pipe. */

import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

const COLOURS = process.stdout.isTTY === true && !process.env.NO_COLOR;

/** `text` in a style, where colours are wanted. */
export function style(format: Style, text: string): string {
  return COLOURS ? styleText(format, text) : text;
}

/** A line of output. */
export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** A heading with space around it. */
export function heading(text: string): void {
  print();
  print(style("bold", text));
}

/** Rows under a header, columns as wide as they need; columns of numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => String(row[column]).length)),
  );
  const line = (cells: readonly (string | number)[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column]!;
        return typeof rows[0]?.[column] === "number"
          ? String(cell).padStart(width)
          : String(cell).padEnd(width);
      })
      .join("  ")
      .trimEnd();
  print(`  ${style("dim", line(header))}`);
  print(`  ${style("dim", widths.map((width) => "-".repeat(width)).join("  "))}`);
  for (const row of rows) print(`  ${line(row)}`);
}
