import type { Database } from '@tideline/shared/database';

/** The key that authenticates cursors: made by the first migration, the same for every process. */
export async function readCursorKey(database: Database): Promise<Buffer> {
  const { value } = await database.one<{ value: Buffer }>(`select value from secrets where name = 'cursor'`);
  return value;
}
