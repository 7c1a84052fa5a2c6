import type { SetUpConfig } from './config.js';
import { dropDatabase } from './create-database.js';
import { deleteTopics } from './create-topics.js';

/** Removes everything that `setUp` made. For tests. */
export async function tearDown(config: SetUpConfig): Promise<void> {
  await Promise.all([dropDatabase(config.databaseUrl), deleteTopics(config)]);
}
