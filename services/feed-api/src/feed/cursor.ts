import { createHmac, timingSafeEqual } from 'node:crypto';
import { TidelineError } from '@tideline/shared/errors';

/**
 * Where a page ended or began: an item shown there. Opaque to clients, versioned, and authenticated together with the
 * reader and the feed, so that it cannot be made up or carried to somebody else's feed.
 *
 * Bytes: version, way to go on, position, HMAC-SHA-256 over all of it and what it is bound to, cut to 16.
 */
export interface Cursor {
  direction: CursorDirection;
  /** The item's key in the order of the feed, at most `positionMaxBytes`. */
  position: Buffer;
  /** Whether the item itself is on the page that the cursor leads to. */
  inclusive: boolean;
}

/** older: down the page, and on to the next one; newer: back up. */
export type CursorDirection = 'older' | 'newer';

/** What a cursor is good for. */
export interface CursorBinding {
  /** Name of the feed, with its owner where it has one. All positions in it are of one kind. */
  feed: string;
  reader: string;
}

/** An activity id, and the names of two pages of groups; cursors have at most 1,114 characters so. */
export const positionMaxBytes = 817;

const version = 2;
const ways = [
  { direction: 'older', inclusive: false },
  { direction: 'newer', inclusive: false },
  { direction: 'older', inclusive: true },
  { direction: 'newer', inclusive: true },
] as const;
const macBytes = 16;
const headerBytes = 2;

export class CursorCodec {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  encode({ direction, position, inclusive }: Cursor, binding: CursorBinding): string {
    const way = ways.findIndex((each) => each.direction === direction && each.inclusive === inclusive);
    const content = Buffer.concat([Buffer.of(version, way), position]);
    return Buffer.concat([content, this.#mac(content, binding)]).toString('base64url');
  }

  /** Throws `invalid_cursor` for whatever was not encoded here for the same reader and feed. */
  decode(text: string, binding: CursorBinding): Cursor {
    const bytes = Buffer.from(text, 'base64url');
    const positionBytes = bytes.length - headerBytes - macBytes;
    // Decoding is lenient and would let one cursor be written in several ways.
    if (positionBytes < 1 || positionBytes > positionMaxBytes || bytes.toString('base64url') !== text) {
      throw invalidCursor();
    }
    const content = bytes.subarray(0, headerBytes + positionBytes);
    if (!timingSafeEqual(bytes.subarray(content.length), this.#mac(content, binding))) {
      throw invalidCursor();
    }
    const way = ways[content[1] ?? ways.length];
    if (content[0] !== version || way === undefined) {
      throw invalidCursor();
    }
    return { ...way, position: content.subarray(headerBytes) };
  }

  #mac(content: Buffer, { feed, reader }: CursorBinding): Buffer {
    // Neither a feed's name nor a user id has a space.
    return createHmac('sha256', this.#key).update(`${feed} ${reader} `).update(content).digest().subarray(0, macBytes);
  }
}

function invalidCursor(): TidelineError {
  return new TidelineError('invalid_cursor', 'The cursor is not one that this feed gave to this reader.');
}
