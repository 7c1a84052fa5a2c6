import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CursorCodec, positionMaxBytes } from './cursor.js';

const codec = new CursorCodec(randomBytes(32));
const binding = { feed: 'home', reader: 'ada' };
const anyCursor = fc.record({
  direction: fc.constantFrom('older' as const, 'newer' as const),
  inclusive: fc.boolean(),
  position: fc.uint8Array({ minLength: 1, maxLength: positionMaxBytes }).map((bytes) => Buffer.from(bytes)),
});
const someCursor = { direction: 'older', inclusive: false, position: Buffer.alloc(16, 7) } as const;
const refusal = expect.objectContaining({ code: 'invalid_cursor' }) as Error;

test('a cursor comes back as it was, and fits into a query as it is', () => {
  fc.assert(
    fc.property(anyCursor, (cursor) => {
      const text = codec.encode(cursor, binding);
      expect(text).toMatch(/^[A-Za-z0-9_-]{26,1114}$/);
      expect(codec.decode(text, binding)).toEqual(cursor);
    }),
  );
});

test('one bit changed anywhere makes it no cursor', () => {
  fc.assert(
    fc.property(anyCursor, fc.nat(), fc.nat(7), (cursor, anyByte, bit) => {
      const bytes = Buffer.from(codec.encode(cursor, binding), 'base64url');
      const byte = anyByte % bytes.length;
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

test('one cut short, or made longer, is no cursor', () => {
  fc.assert(
    fc.property(anyCursor, fc.integer({ min: -70, max: 70 }), (cursor, change) => {
      const bytes = Buffer.from(codec.encode(cursor, binding), 'base64url');
      const changed = change < 0 ? bytes.subarray(0, change) : Buffer.concat([bytes, Buffer.alloc(change + 1)]);
      expect(() => codec.decode(changed.toString('base64url'), binding)).toThrow(refusal);
    }),
  );
});

test('a cursor is written in one way only', () => {
  const text = codec.encode(someCursor, binding);
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
  const text = codec.encode(someCursor, binding);
  expect(() => codec.decode(text, other)).toThrow(refusal);
});

test('another installation has other cursors', () => {
  const text = codec.encode(someCursor, binding);
  expect(() => new CursorCodec(randomBytes(32)).decode(text, binding)).toThrow(refusal);
});
