import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { expectedSchema } from '../src/doctor/schema.js';
import { readSchemaLines, schemaText } from '../src/doctor/schema-lines.js';
import { readSetUpConfig } from '../src/setup/config.js';
import { connectToDatabase } from '../src/setup/database-client.js';
import { setUp } from '../src/setup/set-up.js';
import { tearDown } from '../src/setup/tear-down.js';

// After a new migration: npm test -- --project system deploy/test/expected-schema.test.ts -u
test('the schema that doctor expects is the one that the migrations make', async () => {
  const name = `schema-${randomBytes(6).toString('hex')}`;
  const url = new URL(readSetUpConfig().databaseUrl);
  url.pathname = `/${name}`;
  const config = { ...readSetUpConfig(), databaseUrl: url.href, namespace: name, partitions: 1 };
  await setUp(config);
  try {
    const database = await connectToDatabase(config.databaseUrl);
    try {
      await expect(schemaText(await readSchemaLines(database))).toMatchFileSnapshot(fileURLToPath(expectedSchema));
    } finally {
      await database.end();
    }
  } finally {
    await tearDown(config);
  }
});
