import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { userIdSchema } from '@tideline/shared/activity';

export const ticketTimeMs = 60_000;

const version = 1;
const versionBytes = 1;
const timeBytes = 6;
const headBytes = versionBytes + timeBytes;
const macBytes = 16;

export interface Ticket {
  ticket: string;
  /** Unix milliseconds. */
  expiresAt: number;
}

/**
 * Tickets say who opens a stream, for 60 s, and can do nothing else: an `EventSource` cannot send headers, and a URL is
 * no place for a key. Nothing is stored; every process takes those of the others.
 *
 * Bytes: version, Unix milliseconds of the end, HMAC-SHA-256 cut to 16, user id.
 */
export class StreamTickets {
  readonly #key: Buffer;

  /** `secret` may have other uses: what comes of it here is good for tickets alone. */
  constructor(secret: Buffer) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'tideline stream tickets', 32));
  }

  mint(userId: string, now = Date.now()): Ticket {
    const expiresAt = now + ticketTimeMs;
    const head = Buffer.alloc(headBytes);
    head.writeUInt8(version);
    head.writeUIntBE(expiresAt, versionBytes, timeBytes);
    const user = Buffer.from(userId);
    return { ticket: Buffer.concat([head, this.#mac(head, user), user]).toString('base64url'), expiresAt };
  }

  /** Undefined for what was not minted here, or has expired. */
  userOf(ticket: string, now = Date.now()): string | undefined {
    const bytes = Buffer.from(ticket, 'base64url');
    // Decoding is lenient and would let one ticket be written in several ways.
    if (bytes.length <= headBytes + macBytes || bytes.toString('base64url') !== ticket) {
      return undefined;
    }
    const head = bytes.subarray(0, headBytes);
    const mac = bytes.subarray(headBytes, headBytes + macBytes);
    const user = bytes.subarray(headBytes + macBytes);
    if (!timingSafeEqual(mac, this.#mac(head, user)) || head[0] !== version) {
      return undefined;
    }
    const isCurrent = head.readUIntBE(versionBytes, timeBytes) > now;
    return isCurrent ? userIdSchema.safeParse(user.toString()).data : undefined;
  }

  #mac(head: Buffer, user: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(head).update(user).digest().subarray(0, macBytes);
  }
}
