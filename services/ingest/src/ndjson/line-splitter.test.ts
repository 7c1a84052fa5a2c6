import { TidelineError } from '@tideline/shared/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Line, LineSplitter } from './line-splitter.js';

function split(chunks: readonly Buffer[], sizeMaxBytes = 64): [number, string][] {
  const splitter = new LineSplitter(sizeMaxBytes);
  const lines: Line[] = [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
  return lines.map(({ number, content }) => [
    number,
    content instanceof TidelineError ? content.code : String(content),
  ]);
}

test('lines are the same wherever the chunks are cut, in the middle of a character too', () => {
  const text = '{"a":"ü€😀"}\r\n\n  \t\r\n{"b":1}\n{"c":2}';
  const whole = split([Buffer.from(text)]);
  expect(whole).toEqual([
    [1, '{"a":"ü€😀"}\r'],
    [4, '{"b":1}'],
    [5, '{"c":2}'],
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(Buffer.byteLength(text))), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), Buffer.byteLength(text)];
      const chunks = places.slice(1).map((end, i) => Buffer.from(text).subarray(places[i], end));
      expect(split(chunks)).toEqual(whole);
    }),
  );
});

test('of a line that is too long only the end is found', () => {
  const long = Buffer.from('x'.repeat(40));
  const lines = split([Buffer.from('first\n'), long, long, long, Buffer.from('\nnext\n'), long, long], 64);
  expect(lines).toEqual([
    [1, 'first'],
    [2, 'payload_too_large'],
    [3, 'next'],
    [4, 'payload_too_large'],
  ]);
  expect(split([Buffer.from(`${'x'.repeat(64)}\n${'y'.repeat(65)}\n`)])).toEqual([
    [1, 'x'.repeat(64)],
    [2, 'payload_too_large'],
  ]);
});

test('nothing, and nothing but blank lines, is no line', () => {
  expect(split([])).toEqual([]);
  expect(split([Buffer.from('\n \r\n\t\n')])).toEqual([]);
});
