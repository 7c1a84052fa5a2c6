import type pg from 'pg';

/** That the event store has less than the log, where that is known: then nobody is shown what is left. */
export interface MissingEvents {
  since: Date;
  reason: string;
}

export async function readMissingEvents(client: Pick<pg.Client, 'query'>): Promise<MissingEvents | undefined> {
  const { rows } = await client.query<MissingEvents>('select since, reason from missing_events');
  return rows[0];
}

/** Closes feeds to readers; in the transaction that this is known by. */
export const closeFeeds = 'select close_feeds($1) where not exists (select from missing_events)';

/**
 * A database that is new, or was put back, would give out epochs again that Redis or a process still has from before: none is
 * as high as the time in milliseconds.
 */
export const raiseEpochs = `
  select setval('cache_epochs', greatest(nextval('cache_epochs'), ms)),
    setval('partition_fence_epochs', greatest(nextval('partition_fence_epochs'), ms))
  from (select (extract(epoch from now()) * 1000)::bigint) as now (ms)`;
