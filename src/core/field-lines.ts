/** Field lines of a received head -> names and values (RFC 9112 §5). */

/** Spelling and values of one field name. */
export interface Field {
  readonly name: string;
  readonly values: string[];
}

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/**
 * Reads the lines `name: value` of `head` from `start` up to the empty line or the end into `fields`, by lower-case
 * name. The text was validated before: what is no field line is passed over. A continuation line gives one space and
 * its text (obs-fold, RFC 9112 §5.2), unless it is blank.
 */
export function readFieldLines(head: string, start: number, fields: Map<string, Field>): void {
  let last: string[] | undefined;
  for (let at = start; at < head.length; ) {
    const lineFeed = head.indexOf("\n", at);
    const next = lineFeed === -1 ? head.length : lineFeed + 1;
    const end = lineEnd(head, at, next);
    if (end === at) return;
    if (isBlank(head.charCodeAt(at))) {
      if (last !== undefined) unfold(last, trimmed(head, at, end));
    } else {
      last = readField(head, at, end, fields);
    }
    at = next;
  }
}

/** Adds a continuation line to the last of `values`. */
function unfold(values: string[], text: string): void {
  if (text === "") return;
  const value = values.pop();
  values.push(value === "" ? text : `${value} ${text}`);
}

/** Where the text of the line `[at, next)` ends. */
function lineEnd(head: string, at: number, next: number): number {
  let end = next;
  if (end > at && head.charCodeAt(end - 1) === LF) end--;
  if (end > at && head.charCodeAt(end - 1) === CR) end--;
  return end;
}

/** Reads one line; the list that its value was added to. */
function readField(head: string, at: number, end: number, fields: Map<string, Field>): string[] | undefined {
  const colon = head.indexOf(":", at);
  if (colon === -1 || colon >= end) return undefined;
  const name = head.slice(at, colon);
  const key = name.toLowerCase();
  const value = trimmed(head, colon + 1, end);
  const values = fields.get(key)?.values;
  if (values !== undefined) {
    values.push(value);
    return values;
  }
  const created: Field = { name, values: [value] };
  fields.set(key, created);
  return created.values;
}

/** `head[at, end)` without the optional white space around it (RFC 9110 §5.6.3). */
function trimmed(head: string, at: number, end: number): string {
  let from = at;
  let to = end;
  while (from < to && isBlank(head.charCodeAt(from))) from++;
  while (to > from && isBlank(head.charCodeAt(to - 1))) to--;
  return head.slice(from, to);
}
