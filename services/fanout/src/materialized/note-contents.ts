import { prepared, type Queryable } from '@tideline/shared/database';
import type { StoredContent } from '../storage/activity-reader.js';

const noteSql = `
  insert into contents_since_refresh (author_id, id)
  select author_id, id from unnest($1::text[], $2::uuid[]) as content (author_id, id)
  where (select is_noting from materialized_home_state)
  order by author_id, id
  on conflict do nothing`;

/** Notes contents for the materialised home feeds, in the transaction that inserts them. */
export async function noteContents(transaction: Queryable, contents: readonly StoredContent[]): Promise<void> {
  if (contents.length > 0) {
    await transaction.none(
      prepared('note-contents', noteSql, [contents.map(({ actorId }) => actorId), contents.map(({ id }) => id)]),
    );
  }
}
