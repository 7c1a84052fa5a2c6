import { isDatabaseDown, openDatabase } from '@tideline/shared/database';
import { createLogger } from '@tideline/shared/logger';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

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
