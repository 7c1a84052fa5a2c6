import { applyMigrations } from './apply-migrations.js';
import type { SetUpConfig } from './config.js';
import { createDatabase } from './create-database.js';
import { createTopics } from './create-topics.js';
import { putDemoData } from './demo-data.js';
import { tellOfLostKeys } from './lost-keys.js';
import { recordSettings } from './record-settings.js';
import type { Report } from './report.js';
import { withSetUpLock } from './set-up-lock.js';
import { useEdition } from './use-edition.js';

/**
 * Makes everything that the services expect to find: the database, its schema, the topics and the record of which
 * generation they are, the settings that services agree about, and what Redis is to tell of. Does only what is missing, so
 * it can run before every start; several at once wait for one another. Throws `configuration` where something that exists
 * does not fit, `unavailable` where the database or Kafka is away.
 */
export async function setUp(config: SetUpConfig, report: Report = () => undefined): Promise<void> {
  await createDatabase(config.databaseUrl, report);
  await withSetUpLock(config.databaseUrl, async (client) => {
    const isChanged = await applyMigrations(client, report);
    await useEdition(client, isChanged, report);
    await recordSettings(client, config, report);
    await createTopics(client, config, report);
    await putDemoData(client, config.demo, report);
  });
  await tellOfLostKeys(config.redisUrl, report);
}
