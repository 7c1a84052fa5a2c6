import { TidelineError } from '@tideline/shared/errors';

/** A line of a body that says something: blank ones count, but are left out. */
export interface Line {
  /** From 1. */
  number: number;
  /** Without its end; or why it cannot be had. */
  content: Buffer | TidelineError;
}

const newline = 0x0a;
const blanks: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d]);

/** Makes lines of chunks, and holds no more than one line of `sizeMaxBytes`: of a longer one it only finds the end. */
export class LineSplitter {
  readonly #sizeMaxBytes: number;
  #number = 1;
  #pieces: Buffer[] = [];
  #sizeBytes = 0;

  constructor(sizeMaxBytes: number) {
    this.#sizeMaxBytes = sizeMaxBytes;
  }

  /** The lines that end in this chunk. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      this.#append(chunk.subarray(start, end));
      this.#finish(lines);
      start = end + 1;
    }
    this.#append(chunk.subarray(start));
    return lines;
  }

  /** The last line, where nothing ends it but the end of all. */
  end(): Line[] {
    const lines: Line[] = [];
    this.#finish(lines);
    return lines;
  }

  #append(piece: Buffer): void {
    this.#sizeBytes += piece.length;
    if (this.#sizeBytes > this.#sizeMaxBytes) {
      this.#pieces = [];
    } else if (piece.length > 0) {
      this.#pieces.push(piece);
    }
  }

  #finish(lines: Line[]): void {
    const content = this.#content();
    if (content instanceof TidelineError || content.some((byte) => !blanks.has(byte))) {
      lines.push({ number: this.#number, content });
    }
    this.#number += 1;
    this.#pieces = [];
    this.#sizeBytes = 0;
  }

  #content(): Buffer | TidelineError {
    if (this.#sizeBytes > this.#sizeMaxBytes) {
      return new TidelineError('payload_too_large', `A line has at most ${this.#sizeMaxBytes} bytes.`);
    }
    const [only] = this.#pieces;
    return this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
  }
}
