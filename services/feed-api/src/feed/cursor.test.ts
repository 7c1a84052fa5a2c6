import { randomBytes } from 'node:crypto';
import { activityIdFromBytes } from '@tideline/shared/activity-id';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CursorCodec } from './cursor.js';

const codec = new CursorCodec(randomBytes(32));
const binding = { feed: 'home', reader: 'ada' };
const anyCursor = fc.record({
  direction: fc.constantFrom('older' as const, 'newer' as const),
  id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => activityIdFromBytes(Buffer.from(bytes))),
});
const refusal = expect.objectContaining({ code: 'invalid_cursor' }) as Error;

test('a cursor comes back as it was, and fits into a query as it is', () => {
  fc.assert(
    fc.property(anyCursor, (cursor) => {
      const text = codec.encode(cursor, binding);
      expect(text).toMatch(/^[A-Za-z0-9_-]{46}$/);
      expect(codec.decode(text, binding)).toEqual(cursor);
    }),
  );
});

test('one bit changed anywhere makes it no cursor', () => {
  fc.assert(
    fc.property(anyCursor, fc.nat(33), fc.nat(7), (cursor, byte, bit) => {
      const bytes = Buffer.from(codec.encode(cursor, binding), 'base64url');
      expect(bytes).toHaveLength(34);
      bytes[byte] = (bytes[byte] ?? 0) ^ (1 << bit);
      expect(() => codec.decode(bytes.toString('base64url'), binding)).toThrow(refusal);
    }),
  );
});

test('whatever was not encoded here is no cursor', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.base64String()), (text) => {
      expect(() => codec.decode(text, binding)).toThrow(refusal);
    }),
  );
});

test('a cursor is written in one way only', () => {
  const text = codec.encode({ direction: 'older', id: '018c2b1c-0000-7000-8000-000000000000' }, binding);
  // The last character has bits to spare: changing one of them changes no byte.
  const last = text.charCodeAt(text.length - 1);
  const others = [last - 1, last + 1].map((code) => text.slice(0, -1) + String.fromCharCode(code));
  for (const other of [`${text}=`, `${text}==`, ` ${text}`, `${text}\n`, ...others]) {
    expect(() => codec.decode(other, binding), other).toThrow(refusal);
  }
});

test.each([
  { feed: 'home', reader: 'bob' },
  { feed: 'user:ada', reader: 'ada' },
  { feed: 'home', reader: '' },
  { feed: 'hom', reader: 'e ada' },
  { feed: 'home ada', reader: '' },
])('it is not good for $feed of "$reader"', (other) => {
  const text = codec.encode({ direction: 'older', id: '018c2b1c-0000-7000-8000-000000000000' }, binding);
  expect(() => codec.decode(text, other)).toThrow(refusal);
});

test('another installation has other cursors', () => {
  const text = codec.encode({ direction: 'older', id: '018c2b1c-0000-7000-8000-000000000000' }, binding);
  expect(() => new CursorCodec(randomBytes(32)).decode(text, binding)).toThrow(refusal);
});
