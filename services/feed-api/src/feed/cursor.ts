import { createHmac, timingSafeEqual } from 'node:crypto';
import { activityIdBytes, activityIdFromBytes, activityIdToBytes } from '@tideline/shared/activity-id';
import { TidelineError } from '@tideline/shared/errors';

/**
 * Where a page ended: the last item shown. Opaque to clients, versioned, and authenticated together with the reader
 * and the feed, so that it cannot be made up or carried to somebody else's feed.
 *
 * Bytes: version, direction, id (16), HMAC-SHA-256 over all of it and what it is bound to, cut to 16.
 */
export interface Cursor {
  direction: CursorDirection;
  id: string;
}

export type CursorDirection = 'older' | 'newer';

/** What a cursor is good for. */
export interface CursorBinding {
  /** Name of the feed, with its owner where it has one. */
  feed: string;
  reader: string;
}

const version = 1;
const directions: readonly CursorDirection[] = ['older', 'newer'];
const macBytes = 16;
const headerBytes = 2;
const totalBytes = headerBytes + activityIdBytes + macBytes;

export class CursorCodec {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  encode({ direction, id }: Cursor, binding: CursorBinding): string {
    const content = Buffer.concat([Buffer.of(version, directions.indexOf(direction)), activityIdToBytes(id)]);
    return Buffer.concat([content, this.#mac(content, binding)]).toString('base64url');
  }

  /** Throws `invalid_cursor` for whatever was not encoded here for the same reader and feed. */
  decode(text: string, binding: CursorBinding): Cursor {
    const bytes = Buffer.from(text, 'base64url');
    // Decoding is lenient and would let one cursor be written in several ways.
    if (bytes.length !== totalBytes || bytes.toString('base64url') !== text) {
      throw invalidCursor();
    }
    const content = bytes.subarray(0, headerBytes + activityIdBytes);
    if (!timingSafeEqual(bytes.subarray(content.length), this.#mac(content, binding))) {
      throw invalidCursor();
    }
    const direction = directions[content[1] ?? directions.length];
    if (content[0] !== version || direction === undefined) {
      throw invalidCursor();
    }
    return { direction, id: activityIdFromBytes(content, headerBytes) };
  }

  #mac(content: Buffer, { feed, reader }: CursorBinding): Buffer {
    // Neither a feed's name nor a user id has a space.
    return createHmac('sha256', this.#key).update(`${feed} ${reader} `).update(content).digest().subarray(0, macBytes);
  }
}

function invalidCursor(): TidelineError {
  return new TidelineError('invalid_cursor', 'The cursor is not one that this feed gave to this reader.');
}
