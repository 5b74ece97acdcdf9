/** The static table as lines `name: value CRLF`, for the decoder to copy. */

import { kindOfName } from "./field-kinds.ts";
import { STATIC_FIELDS } from "./static-table.ts";

/** All lines, one behind the other. */
export const STATIC_LINES: Buffer = Buffer.from(
  STATIC_FIELDS.map(([name, value]) => `${name}: ${value}\r\n`).join(""),
  "latin1",
);

/** Where the line of entry `index - 1` begins; one more than there are entries. */
export const STATIC_OFFSETS: Uint16Array = Uint16Array.from([0, ...lineEnds()]);

/** Length of its name. */
export const STATIC_NAME_LENGTHS: Uint8Array = Uint8Array.from(STATIC_FIELDS, ([name]) => name.length);

/** Kind of its name. */
export const STATIC_KINDS: Uint8Array = Uint8Array.from(STATIC_FIELDS, ([name]) =>
  kindOfName(Buffer.from(name, "latin1"), 0, name.length),
);

function lineEnds(): number[] {
  let end = 0;
  return STATIC_FIELDS.map(([name, value]) => {
    end += name.length + value.length + 4;
    return end;
  });
}
