/**
 * The Huffman code of HPACK (RFC 7541 §5.2 and appendix B).
 *
 * The code is canonical, so the lengths of its 257 words are all there is to know. Decoding takes whole octets: a state
 * is a node of the code's tree, and one table entry for each state and octet holds the next state and the at most two
 * symbols that end in it. A state's entries are made when it is met first: few states are ever met, and to make all at
 * once costs megabytes, most of them for the engine's compiler.
 */

/** Word lengths of the symbols 0-255 and EOS, in bits. */
const LENGTHS: readonly number[] = unfold(
  "13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 13 6 7*22 8 7 8 13 19 " +
    "13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22 20*2 22*3 23 22 23*5 24 23 24*2 22 23 24 " +
    "23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2 24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23 26*2 " +
    "20 19 22 23 22 25 26*3 27*2 26 24 25 19 21 26 27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 " +
    "26 23 26 27 26*2 27*5 28 27*5 26 30",
);

const EOS = 256;
const LONGEST = 30;

/** An entry: next state in bits 0-7, symbols in 8-15 and 16-23, their count in 24-25, and whether EOS was met. */
const COUNT_SHIFT = 24;
const MET_EOS = 1 << 26;

interface Code {
  /** Word of each symbol, and its length in bits. */
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
}

interface Decoder {
  readonly tree: Int16Array;
  /** By state and octet; 0 for what was not made yet: the root is never reached but by a symbol. */
  readonly entries: Uint32Array;
  /** 1 for the states in which a string may end: at most 7 bits of EOS have been read. */
  readonly mayEnd: Uint8Array;
}

let code: Code | null = null;
let decoder: Decoder | null = null;

/**
 * Decodes `source[start, end)` into `target` from `at` on, which must have room for `(end - start) * 8 / 5 + 2` octets.
 * Returns the index behind the last one, or -1 if the padding is wrong or EOS is in it.
 */
export function decodeHuffman(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  decoder ??= buildDecoder();
  const { entries, tree } = decoder;
  let state = 0;
  let seen = 0;
  let to = at;
  for (let from = start; from < end; from++) {
    let entry = entries[(state << 8) | source[from]!]!;
    if (entry === 0) {
      makeEntries(tree, entries, state);
      entry = entries[(state << 8) | source[from]!]!;
    }
    seen |= entry;
    target[to] = entry >>> 8;
    target[to + 1] = entry >>> 16;
    to += (entry >>> COUNT_SHIFT) & 3;
    state = entry & 255;
  }
  return (seen & MET_EOS) !== 0 || decoder.mayEnd[state] === 0 ? -1 : to;
}

/** Octets that the Latin-1 text `text` takes in the code. */
export function huffmanLength(text: string): number {
  code ??= buildCode();
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits += code.lengths[text.charCodeAt(at)]!;
  return (bits + 7) >>> 3;
}

/** Encodes the Latin-1 text `text` into `target` from `at` on; returns the index behind the last octet. */
export function encodeHuffman(text: string, target: Uint8Array, at: number): number {
  code ??= buildCode();
  const { words, lengths } = code;
  let to = at;
  let pending = 0;
  let bits = 0;
  for (let from = 0; from < text.length; from++) {
    const symbol = text.charCodeAt(from);
    // At most 7 bits wait, and words have up to 30: halves fit into 32 bits.
    const length = lengths[symbol]!;
    const high = Math.max(0, length - 16);
    pending = (pending << high) | (words[symbol]! >>> (length - high));
    bits += high;
    for (; bits >= 8; bits -= 8) target[to++] = pending >>> (bits - 8);
    const low = length - high;
    pending = (pending << low) | (words[symbol]! & ((1 << low) - 1));
    bits += low;
    for (; bits >= 8; bits -= 8) target[to++] = pending >>> (bits - 8);
  }
  if (bits > 0) target[to++] = (pending << (8 - bits)) | ((1 << (8 - bits)) - 1);
  return to;
}

/** `5*3 6` is 5 5 5 6. */
function unfold(text: string): number[] {
  return text.split(" ").flatMap((run) => {
    const [length, times] = run.split("*");
    return new Array<number>(Number(times ?? 1)).fill(Number(length));
  });
}

/** Canonical: shorter words first, equal lengths in the order of their symbols. */
function buildCode(): Code {
  const words = new Uint32Array(EOS + 1);
  let word = 0;
  for (let length = 1; length <= LONGEST; length++) {
    for (let symbol = 0; symbol <= EOS; symbol++) if (LENGTHS[symbol] === length) words[symbol] = word++;
    word *= 2;
  }
  return { words, lengths: Uint8Array.from(LENGTHS) };
}

/** Children of the tree's inner nodes, two each: another node, or -1 - symbol. */
function buildTree({ words, lengths }: Code): Int16Array {
  const children = new Int16Array(2 * 256);
  let nodes = 1;
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let node = 0;
    for (let bit = lengths[symbol]! - 1; bit >= 0; bit--) {
      const branch = 2 * node + ((words[symbol]! >>> bit) & 1);
      if (bit === 0) children[branch] = -1 - symbol;
      else if (children[branch] === 0) children[branch] = nodes++;
      node = children[branch]!;
    }
  }
  return children;
}

function buildDecoder(): Decoder {
  code ??= buildCode();
  const tree = buildTree(code);
  return { tree, entries: new Uint32Array(256 * 256), mayEnd: endStates(tree) };
}

/** Two steps of four bits each make one of eight: no word is shorter than five, so each step ends one at most. */
function makeEntries(tree: Int16Array, entries: Uint32Array, state: number): void {
  for (let high = 0; high < 16; high++) {
    const first = fourBits(tree, state, high);
    for (let low = 0; low < 16; low++) {
      entries[(state << 8) | (high << 4) | low] = join(first, fourBits(tree, first & 255, low));
    }
  }
}

function fourBits(tree: Int16Array, state: number, bits: number): number {
  let node = state;
  let found = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = tree[2 * node + ((bits >>> bit) & 1)]!;
    node = Math.max(0, child);
    if (child === -1 - EOS) found = MET_EOS;
    else if (child < 0) found |= ((-1 - child) << 8) | (1 << COUNT_SHIFT);
  }
  return found | node;
}

function join(first: number, second: number): number {
  const bothCounts = (((first >>> COUNT_SHIFT) & 3) + ((second >>> COUNT_SHIFT) & 3)) << COUNT_SHIFT;
  const shift = ((first >>> COUNT_SHIFT) & 3) === 1 ? 8 : 0;
  const symbols = (first & 0xff00) | ((second & 0xff00) << shift);
  return (second & 255) | symbols | bothCounts | ((first | second) & MET_EOS);
}

function endStates(tree: Int16Array): Uint8Array {
  const mayEnd = new Uint8Array(256);
  let node = 0;
  for (let ones = 0; ones < 8; ones++) {
    mayEnd[node] = 1;
    node = tree[2 * node + 1]!;
  }
  return mayEnd;
}
