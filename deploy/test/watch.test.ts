import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

const door = fileURLToPath(new URL('../run.mjs', import.meta.url));

let platform: Platform;
const started: ChildProcess[] = [];
beforeAll(async () => {
  platform = await startPlatform({ partitions: 1 });
});
afterEach(() => {
  for (const child of started.splice(0)) {
    child.kill('SIGKILL');
  }
});
afterAll(() => platform.stop());

/** `npm run tideline -- watch …` without npm. */
function watch(...args: string[]) {
  const child = spawn(process.execPath, [door, 'tideline', 'watch', '--feed-api', platform.feedApi.origin, ...args]);
  started.push(child);
  const shown = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    shown.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    shown.err += chunk.toString();
  });
  return { child, shown };
}

async function post(objectTitle: string): Promise<string> {
  const body = { verb: 'post', objectType: 'note', objectId: objectTitle, objectTitle };
  return (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { key: 'abc123', body })).id;
}

test('a home feed is shown from its newest items on, as it happens, until Ctrl-C', async () => {
  await post('before');
  await platform.settle();
  const { child, shown } = watch('1', '--key', 'abc123');
  await waitUntil('what was there is shown', () => shown.out.includes('posted note “before”'));
  const id = await post('after');
  await waitUntil('what happens is shown', () => shown.out.includes('posted note “after”'));
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { key: 'abc123' });
  await waitUntil('a delete is shown', () => /deleted: ivan +posted note “after”/.test(shown.out));
  expect(shown.out).toMatch(/^\d\d:\d\d:\d\d {2}ivan {9}posted note “before”\n\d\d:/);
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(shown.err).toBe('');
});

test('events are shown as JSON, and a wrong key is said', async () => {
  const { child, shown } = watch('1', '--json');
  // It may not have begun yet: what is posted until then does not come.
  const ids: string[] = [];
  await waitUntil('one comes', async () => {
    ids.push(await post('json'));
    await platform.settle();
    return shown.out.includes('\n');
  });
  const event = JSON.parse(shown.out.split('\n')[0] ?? '') as { event: string; data: { id: string } };
  expect(event).toMatchObject({ event: 'activity', data: { actorName: 'ivan' } });
  expect(ids).toContain(event.data.id);
  child.kill('SIGINT');

  const wrong = watch('1', '--key', 'wrong');
  expect(await once(wrong.child, 'exit')).toEqual([1, null]);
  expect(wrong.shown.err).toContain('the stream was refused (401): A valid key is needed');
});
