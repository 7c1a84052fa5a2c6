import { isDatabaseDown, openDatabase } from '@tideline/shared/database';
import { createLogger } from '@tideline/shared/logger';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Consumers that are frozen at the worst moments. What freezes by chance is in exactness.test.ts and brokers.test.ts. */

const home = '/v1/feeds/home';
const rejoinMaxMs = 60_000;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ fanout: false });
});
afterAll(() => platform.stop());

test('a process that was frozen inside a transaction holds no locks, and tries again when it wakes', async () => {
  const applicationName = 'frozen';
  const database = openDatabase({
    url: platform.settings.databaseUrl,
    applicationName,
    role: 'tideline_fanout',
    poolSize: 1,
    logger: createLogger('test', 'silent'),
  });
  const { timeout } = await database.one<{ timeout: string }>(
    `select current_setting('idle_in_transaction_session_timeout') as timeout`,
  );
  expect(timeout).toBe('10s');

  const error: unknown = await database
    .tx(async (transaction) => {
      await transaction.none(`set local idle_in_transaction_session_timeout = '50ms'`);
      await waitUntil('the server has ended the session', async () => {
        const { rowCount } = await platform.database.query('select from pg_stat_activity where application_name = $1', [
          applicationName,
        ]);
        return rowCount === 0;
      });
      await transaction.one('select 1');
    })
    .catch((caught: unknown) => caught);
  expect(isDatabaseDown(error)).toBe(true);
  expect(await database.one('select 1 as one')).toEqual({ one: 1 });
  await database.$pool.end();
});

test('one that was frozen between its commit and its delivery takes nothing out of feeds that changed since', async () => {
  const [reader, author] = ['reader', 'author'];
  const ids: string[] = [];
  const frozen = await platform.spawnFanout();
  await platform.ingest.succeed('POST', '/v1/follows', { body: [{ followerId: reader, followeeId: author }] });
  for (let i = 0; i < 5; i += 1) {
    const body = { verb: 'post', objectType: 'note', objectId: String(i) };
    const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { actAs: author, body });
    ids.unshift(id);
  }
  await platform.settle();
  await expectHome(reader, ids);
  await platform.settleReads();

  // It commits the unfollow, asks which ids to take out of the inbox, and is frozen before it has the answer.
  await whileActivitiesAreLocked(async (waitingForLock) => {
    await platform.ingest.succeed('DELETE', `/v1/follows/${author}`, { actAs: reader });
    await waitUntil('it asks for the ids', waitingForLock);
    await frozen.signal('SIGSTOP');
  });
  const successor = await platform.spawnFanout();
  await platform.ingest.succeed('PUT', `/v1/follows/${author}`, { actAs: reader });
  await platform.settle(rejoinMaxMs);
  await expectHome(reader, ids);

  await frozen.signal('SIGCONT');
  await waitUntil('it has joined anew', () => frozen.output.split('partitions assigned').length > 2, rejoinMaxMs);
  await platform.settle(rejoinMaxMs);
  await expectHome(reader, ids);
  await Promise.all([frozen, successor].map((fanout) => fanout.signal('SIGTERM')));
}, 120_000);

async function expectHome(reader: string, ids: readonly string[]): Promise<void> {
  const items = await platform.feedApi.walk(home, reader, 50);
  expect(items.map(({ id }) => id)).toEqual(ids);
}

/** `waitingForLock` says whether fanout waits to read activities. */
async function whileActivitiesAreLocked(
  work: (waitingForLock: () => Promise<boolean>) => Promise<void>,
): Promise<void> {
  const client = await platform.database.connect();
  try {
    await client.query('begin');
    await client.query('lock table activities in access exclusive mode');
    await work(async () => {
      const { rowCount } = await platform.database.query(
        `select from pg_stat_activity where application_name = 'tideline-fanout' and wait_event_type = 'Lock'`,
      );
      return (rowCount ?? 0) > 0;
    });
  } finally {
    await client.query('rollback');
    client.release();
  }
}
