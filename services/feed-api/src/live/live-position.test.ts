import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comparePoints, formatPosition, type LogPoint, parsePosition, positionLengthMax } from './live-position.js';

const anyPoint: fc.Arbitrary<LogPoint> = fc.record({
  entry: fc.tuple(fc.nat(9_999_999_999_999), fc.nat(50)).map(([ms, number]) => `${ms}-${number}`),
  records: fc.nat(5_000),
});
const anyPosition = fc.record({ epoch: fc.nat().map(String), own: anyPoint, pulled: anyPoint });

test('a position comes back as it was given out', () => {
  fc.assert(
    fc.property(anyPosition, (position) => {
      const text = formatPosition(position);
      expect(text.length).toBeLessThanOrEqual(positionLengthMax);
      expect(parsePosition(text)).toEqual(position);
    }),
  );
});

test.each([
  '',
  '1',
  'x.1-1.0.1-1.0',
  '1.1-1.0.1-1',
  '1.1-1.0.1-1.0.',
  '1.1-1.-1.1-1.0',
  '1.1.0.1-1.0',
  ' 1.1-1.0.1-1.0',
])('"%s" is no position', (text) => {
  expect(parsePosition(text)).toBeUndefined();
});

test('points are ordered by time, number and records, as numbers', () => {
  const inOrder = [
    { entry: '9-0', records: 3 },
    { entry: '10-0', records: 0 },
    { entry: '10-0', records: 9 },
    { entry: '10-9', records: 2 },
    { entry: '10-10', records: 0 },
  ];
  for (const [i, a] of inOrder.entries()) {
    for (const [j, b] of inOrder.entries()) {
      expect(Math.sign(comparePoints(a, b))).toBe(Math.sign(i - j));
    }
  }
});
