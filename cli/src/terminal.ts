/** What people see: colours where they are wanted, a line that redraws itself, texts of strangers made harmless. */

import { clearLine, cursorTo } from "node:readline";
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** A stream that may be a terminal. */
export interface Screen {
  write(text: string | Uint8Array): boolean;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Whether colours are wanted on a stream: a terminal, and no NO_COLOR (https://no-color.org). */
export function wantsColour(screen: Screen, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0") return true;
  return screen.isTTY === true && env.TERM !== "dumb";
}

/** Writes texts in a style, or plain. */
export type Paint = (style: Style, text: string) => string;

/** The paint for a stream. */
export function paintFor(screen: Screen): Paint {
  if (!wantsColour(screen)) return (_style, text) => text;
  return (style, text) => paint(style, text);
}

/** `text` in a style, whatever the stream. */
export function paint(style: Style, text: string): string {
  // Since Node 22 it looks at a stream by itself; here the caller has decided.
  return styleText(style, text, { validateStream: false } as never);
}

/** Control characters made visible, so that a text from outside cannot steer the terminal. */
export function harmless(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (found) =>
    found === "\r" ? "" : found < "\x20" ? String.fromCharCode(0x2400 + found.charCodeAt(0)) : "\ufffd",
  );
}

/** Ten times a second at most. */
const REDRAW = 100;
/** Where there is no terminal, a line now and then. */
const PLAIN_INTERVAL = 5000;

/** A line of progress: redrawn in place on a terminal, a new line every five seconds elsewhere. */
export class ProgressLine {
  readonly #screen: Screen;
  readonly #interval: number;
  #drawnAt: number;
  #shown = false;

  constructor(screen: Screen, now: number = performance.now()) {
    this.#screen = screen;
    this.#interval = screen.isTTY === true ? REDRAW : PLAIN_INTERVAL;
    this.#drawnAt = screen.isTTY === true ? now - REDRAW : now;
  }

  /** Shows what `text` gives, if it is time to. */
  update(text: () => string, now: number = performance.now()): void {
    if (now - this.#drawnAt < this.#interval) return;
    this.#drawnAt = now;
    this.#draw(text());
  }

  /** Takes the line away, so that something else can be printed. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    cursorTo(this.#screen as NodeJS.WriteStream, 0);
    clearLine(this.#screen as NodeJS.WriteStream, 0);
  }

  #draw(text: string): void {
    if (this.#screen.isTTY !== true) {
      this.#screen.write(`${text}\n`);
      return;
    }
    this.clear();
    this.#screen.write(text.slice(0, (this.#screen.columns ?? 80) - 1));
    this.#shown = true;
  }
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** `84.1 MB` */
export function bytesText(bytes: number): string {
  const step = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return step === 0 ? `${Math.round(bytes)} B` : `${(bytes / 1000 ** step).toFixed(1)} ${UNITS[step]}`;
}

/** `1:02:03` or `0:34`, from ms. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, "0");
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, "0")}:${tail}`;
}

/** `1,204` */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}
