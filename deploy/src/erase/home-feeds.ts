import type pg from 'pg';
import { type Counts, type Erasure, inTransaction, noteStep } from './erasure.js';

/** What was noted since the last refresh, which may also be of somebody new with the same id: the refresh has that. */
const notesSql: Record<string, string> = {
  contents_since_refresh: 'delete from contents_since_refresh where author_id = $1',
  follows_since_refresh: 'delete from follows_since_refresh where follower_id = $1 or followee_id = $1',
};

const hasRowsSql = `
  select where exists (select from materialized_home)
    or exists (select from contents_since_refresh) or exists (select from follows_since_refresh)`;

/**
 * In one transaction the notes of the user and a refresh of the view, unless nothing ever was in them. It may wait for minutes
 * until fanout's own refresh is through, so it has no place in the moment of the erasure. Until then pages are right without
 * it: what they show is looked up among follows and activities as they are.
 */
export async function eraseFromHome(client: pg.Client, erasure: Erasure, step: string): Promise<void> {
  await inTransaction(client, async () => {
    const counts: Counts = {};
    const { rowCount: isUsed } = await client.query(hasRowsSql);
    if (isUsed !== 0) {
      for (const [table, sql] of Object.entries(notesSql)) {
        counts[table] = (await client.query(sql, [erasure.userId])).rowCount ?? 0;
      }
      await client.query('select refresh_home_after_erasure()');
    }
    await noteStep(client, erasure, step, { counts });
  });
}
