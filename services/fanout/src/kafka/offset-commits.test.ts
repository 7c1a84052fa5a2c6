import { createLogger } from '@tideline/shared/logger';
import type { Offsets } from 'kafkajs';
import { expect, test } from 'vitest';
import { OffsetCommits } from './offset-commits.js';

const logger = createLogger('test', 'silent');

/** Takes commits and answers each when told to. */
function broker() {
  const sent: Record<string, string>[] = [];
  const answers: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const send = ({ topics }: Offsets) => {
    sent.push(Object.fromEntries((topics[0]?.partitions ?? []).map(({ partition, offset }) => [partition, offset])));
    return new Promise<void>((resolve, reject) => {
      answers.push({ resolve, reject });
    });
  };
  return {
    sent,
    send,
    answer: () => answers.shift()?.resolve(),
    refuse: () => answers.shift()?.reject(new Error('no')),
  };
}

test('one commit is outstanding, and the next one carries the last offset of every partition', async () => {
  const { sent, send, answer } = broker();
  const commits = new OffsetCommits('t', logger);
  commits.done(0, '10', send);
  commits.done(0, '11', send);
  commits.done(1, '5', send);
  commits.done(0, '12', send);
  expect(sent).toEqual([{ 0: '10' }]);
  answer();
  await expect.poll(() => sent).toEqual([{ 0: '10' }, { 0: '12', 1: '5' }]);
  answer();
  await commits.close();
  expect(sent).toHaveLength(2);
});

test('a commit that fails is sent again', async () => {
  const { sent, send, answer, refuse } = broker();
  const commits = new OffsetCommits('t', logger);
  commits.done(0, '10', send);
  refuse();
  await expect.poll(() => sent).toEqual([{ 0: '10' }, { 0: '10' }]);
  answer();
  await commits.close();
});

test('a commit that fails at the end is given up, so that a stop without Kafka ends', async () => {
  const { sent, send, refuse } = broker();
  const commits = new OffsetCommits('t', logger);
  commits.done(0, '10', send);
  const closed = commits.close();
  refuse();
  await closed;
  expect(sent).toEqual([{ 0: '10' }]);
});

test('what was not committed when partitions are given out anew is forgotten, and the new membership commits', async () => {
  const before = broker();
  const after = broker();
  const commits = new OffsetCommits('t', logger);
  commits.done(0, '10', before.send);
  commits.forget();
  commits.done(1, '7', after.send);
  before.refuse();
  await expect.poll(() => after.sent).toEqual([{ 1: '7' }]);
  after.answer();
  await commits.close();
  expect(before.sent).toEqual([{ 0: '10' }]);
});
