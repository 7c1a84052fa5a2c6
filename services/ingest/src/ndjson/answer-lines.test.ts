import { PassThrough, Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { waitUntil } from '@tideline/testing/wait-until';
import { expect, test } from 'vitest';
import { answerLines, type GroupAnswer, lineLimits } from './answer-lines.js';
import type { Line } from './line-splitter.js';

function answerTo(lines: readonly Line[], isLast = false): GroupAnswer {
  return { text: lines.map(({ number }) => `${number}\n`).join(''), isLast };
}

/** A promise that the test settles. */
function later<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  return { promise, resolve, reject };
}

/** What one test sees of a run. */
function observed(accept: (lines: readonly Line[], group: number) => Promise<GroupAnswer>) {
  const seen = { text: '', groups: 0, inFlight: 0, inFlightMax: 0, groupLinesMax: 0 };
  return {
    seen,
    async accept(lines: readonly Line[]): Promise<GroupAnswer> {
      seen.groups += 1;
      seen.inFlight += 1;
      seen.inFlightMax = Math.max(seen.inFlightMax, seen.inFlight);
      seen.groupLinesMax = Math.max(seen.groupLinesMax, lines.length);
      return accept(lines, seen.groups).finally(() => {
        seen.inFlight -= 1;
      });
    },
    write(text: string): Promise<void> {
      seen.text += text;
      return Promise.resolve();
    },
  };
}

test('200,000 lines pass in order, with no more in memory than the groups in flight', async () => {
  const linesTotal = 200_000;
  const line = `${JSON.stringify({ text: 'x'.repeat(200) })}\n`;
  let sentLines = 0;
  let answeredLines = 0;
  let ahead = 0;
  const body = Readable.from(
    (function* () {
      for (; sentLines < linesTotal; sentLines += 20) {
        ahead = Math.max(ahead, sentLines - answeredLines);
        yield Buffer.from(line.repeat(20));
      }
    })(),
    { objectMode: false, highWaterMark: lineLimits.groupSizeMaxBytes },
  );
  const { seen, accept } = observed(async (lines) => {
    await setImmediate();
    return answerTo(lines);
  });
  await answerLines(body, accept, (text) => {
    const numbers = text.trimEnd().split('\n').map(Number);
    expect(numbers).toEqual(numbers.map((_, i) => answeredLines + i + 1));
    answeredLines += numbers.length;
    return Promise.resolve();
  });
  expect(answeredLines).toBe(linesTotal);
  expect(seen.inFlightMax).toBe(lineLimits.groupsInFlightMax);
  expect(seen.groupLinesMax).toBeLessThanOrEqual(lineLimits.groupLinesMax);
  const bufferedMax = (2 * lineLimits.groupSizeMaxBytes) / line.length;
  expect(ahead).toBeLessThan(lineLimits.groupsInFlightMax * lineLimits.groupLinesMax + bufferedMax + 1_000);
});

test('a lone line is answered while its sender waits, and groups that are slow do not overtake', async () => {
  const body = new PassThrough();
  const slow = later<void>();
  const run = observed(async (lines, group) => {
    await (group === 2 ? slow.promise : undefined);
    return answerTo(lines);
  });
  const answering = answerLines(body, run.accept, run.write);
  body.write('one\n');
  await waitUntil('the lone line is answered', () => run.seen.text === '1\n');
  body.write('two\n');
  await waitUntil('the second is in flight', () => run.seen.groups === 2);
  body.write('three\n');
  await waitUntil('the third is done', () => run.seen.groups === 3 && run.seen.inFlight === 1);
  expect(run.seen.text).toBe('1\n');
  slow.resolve();
  await waitUntil('all are answered', () => run.seen.text === '1\n2\n3\n');
  body.end('four');
  await answering;
  expect(run.seen.text).toBe('1\n2\n3\n4\n');
});

test('while answers cannot be written nothing more is read', async () => {
  let pulls = 0;
  const chunk = Buffer.from('line\n'.repeat(1_000));
  const body = new Readable({
    highWaterMark: 16 * 1024,
    read() {
      pulls += 1;
      this.push(chunk);
    },
  });
  const { accept } = observed((lines) => Promise.resolve(answerTo(lines)));
  const stuck = later<void>();
  const answering = answerLines(body, accept, () => stuck.promise);
  for (let turn = 0; turn < 1_000; turn += 1) {
    await setImmediate();
  }
  expect(pulls).toBeLessThan(20);
  stuck.reject(new Error('gone'));
  await expect(answering).rejects.toThrow('gone');
  expect(body.destroyed).toBe(true);
});

test('after a last answer groups in flight are answered, and nothing further is read', async () => {
  const body = new PassThrough();
  const held = [later<boolean>(), later<boolean>(), later<boolean>()];
  const run = observed(async (lines, group) =>
    answerTo(lines, await (held[group - 1]?.promise ?? Promise.resolve(false))),
  );
  const answering = answerLines(body, run.accept, run.write);
  for (const [i] of held.entries()) {
    body.write(`line ${i}\n`);
    await waitUntil('it is in flight', () => run.seen.groups === i + 1);
  }
  held[1]?.resolve(true);
  await waitUntil('the body is not wanted any more', () => body.destroyed);
  held[0]?.resolve(false);
  held[2]?.resolve(false);
  await answering;
  expect(run.seen.text).toBe('1\n2\n3\n');
});

test('a body that breaks is an error, after what came before it was answered', async () => {
  const body = new PassThrough();
  const run = observed((lines) => Promise.resolve(answerTo(lines)));
  const answering = answerLines(body, run.accept, run.write);
  body.write('one\ntwo\nhalf');
  await waitUntil('the lines are taken', () => run.seen.groups === 1);
  body.destroy(new Error('broken'));
  await expect(answering).rejects.toThrow('broken');
  expect(run.seen.text).toBe('1\n2\n');
});
