import type { Cache } from '../cache.js';
import { dropLists, dropRegisters, dropTombstones } from '../registers.js';
import type { ReaderDifferences } from './verify-readers.js';

/**
 * Drops all that the wrong pages were made of: inbox, notifications, outbox and register of each reader, outboxes of the
 * authors concerned, and the recent tombstones. What is missing is unknown, never empty (I6), so this is always safe: the
 * next page comes from the database, and what was dropped is built behind it.
 */
export async function dropWrong(cache: Cache, different: readonly ReaderDifferences[]): Promise<void> {
  const readers = different.map(({ reader }) => reader);
  const authors = different.flatMap(({ differences }) => differences.flatMap(({ authorId }) => authorId ?? []));
  await cache.run([
    ...dropLists(cache, 'inbox', readers),
    ...dropLists(cache, 'notifications', readers),
    ...dropRegisters(cache, readers),
    ...dropLists(cache, 'outbox', new Set([...readers, ...authors])),
    dropTombstones(cache),
  ]);
}
