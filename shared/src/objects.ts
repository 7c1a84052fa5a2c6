import type { Cache, ScriptCall } from './cache.js';
import { whileDatabaseIsUp } from './database.js';
import { unlessUnavailable } from './errors.js';
import { type FeedKeys, objectName } from './feed-keys.js';
import { loadScript } from './redis-script.js';

/**
 * What is known of objects: behind Redis, in TimescaleDB. Copies in Redis have versions, and that there is no such object
 * is kept too, as older than every version. Redis away makes it slower, not wrong.
 */

export interface ObjectReference {
  type: string;
  id: string;
}

/** What an object is at present. */
export interface ObjectDetails {
  title: string | null;
  /** The user to whom it belongs; null: nobody is known. */
  ownerId: string | null;
  url: string | null;
}

/** An object and the version of the record that said so. */
export interface VersionedObject extends ObjectReference, ObjectDetails {
  generation: number;
  offset: number;
}

export interface FoundObject extends ObjectReference, ObjectDetails {}

/** Objects by `objectName(type, id)` of `feed-keys.ts`; those that do not exist are not in it. */
export type FoundObjects = ReadonlyMap<string, ObjectDetails>;

export interface ObjectSources {
  cache: Pick<Cache, 'keys' | 'readMany' | 'writeMany' | 'run'>;
  /** The database; where statements are counted, what counts them. */
  database: { any<Row>(sql: string, values: unknown[]): Promise<Row[]> };
}

const setNewer = loadScript('set-newer', import.meta.url);
const objectTtlS = 86_400;

/** The call that caches an object; an older version never replaces a newer one. */
export function cacheObject(
  { keys }: Pick<Cache, 'keys'>,
  { type, id, title, ownerId, url, generation, offset }: VersionedObject,
): ScriptCall {
  return cacheCall(keys, { type, id }, generation, offset, { title, ownerId, url });
}

/** Those of these objects that exist: one round trip to Redis, and one statement where it misses some. Throws `unavailable`. */
export async function readObjects(
  { cache, database }: ObjectSources,
  references: readonly ObjectReference[],
): Promise<FoundObjects> {
  const wanted = byName(references);
  const found = new Map<string, ObjectDetails>();
  if (wanted.size === 0) {
    return found;
  }
  // The names are of the epoch before the statement: what it reads must not be taken for newer than a flush.
  const keys = keysOf(cache);
  const missing = keys === undefined ? wanted : await takeCached(cache, keys, wanted, found);
  if (missing.size === 0) {
    return found;
  }
  const rows = await readRows(database, [...missing.values()]);
  const absent = new Map(missing);
  const calls: ScriptCall[] = [];
  for (const row of rows) {
    const { type, id, title, ownerId, url, generation, offset } = row;
    const name = objectName(type, id);
    found.set(name, { title, ownerId, url });
    absent.delete(name);
    if (keys !== undefined) {
      calls.push(cacheCall(keys, row, generation, offset, { title, ownerId, url }));
    }
  }
  if (keys !== undefined) {
    calls.push(...Array.from(absent.values(), (reference) => cacheCall(keys, reference, 0, olderThanAll, null)));
  }
  await unlessUnavailable(() => cache.run(calls));
  return found;
}

/** Those of these objects that Redis knows of: for what need not wait until the database is back. */
export async function readCachedObjects(
  cache: ObjectSources['cache'],
  references: readonly ObjectReference[],
): Promise<FoundObjects> {
  const found = new Map<string, ObjectDetails>();
  const keys = keysOf(cache);
  if (keys !== undefined) {
    await takeCached(cache, keys, byName(references), found);
  }
  return found;
}

const firstOfIdSql = `
  select type, id, title, owner_id as "ownerId", url, log_generation as generation, log_offset::float8 as offset
  from objects where id = $1 order by created_at, type limit 1`;

/**
 * The object that is meant where only its id is given: of those with this id, the one that was created first. In Redis
 * two look-ups, however many objects there are. Throws `unavailable`.
 */
export async function findObject(sources: ObjectSources, id: string): Promise<FoundObject | undefined> {
  const { cache, database } = sources;
  const keys = keysOf(cache);
  if (keys !== undefined) {
    const [type] = (await unlessUnavailable(() => cache.readMany([keys.objectType(id)]))) ?? [];
    if (typeof type === 'string') {
      const details = (await readObjects(sources, [{ type, id }])).get(objectName(type, id));
      return details === undefined ? undefined : { type, id, ...details };
    }
  }
  const [row] = await whileDatabaseIsUp(() => database.any<VersionedObject>(firstOfIdSql, [id]));
  if (row === undefined) {
    return undefined;
  }
  if (keys !== undefined) {
    // Not versioned: objects are never removed, so which one was first does not change.
    await unlessUnavailable(() => cache.writeMany([{ key: keys.objectType(id), value: row.type }], objectTtlS));
  }
  const { type, title, ownerId, url } = row;
  return { type, id, title, ownerId, url };
}

function byName(references: readonly ObjectReference[]): Map<string, ObjectReference> {
  return new Map(references.map(({ type, id }) => [objectName(type, id), { type, id }]));
}

const olderThanAll = -1;

function cacheCall(
  keys: FeedKeys,
  { type, id }: ObjectReference,
  generation: number,
  offset: number,
  details: ObjectDetails | null,
): ScriptCall {
  return {
    script: setNewer,
    keys: [keys.object(type, id)],
    args: [generation, offset, JSON.stringify(details), objectTtlS],
  };
}

/** Puts what Redis has into `found`, and returns what it does not know about. */
async function takeCached(
  cache: ObjectSources['cache'],
  keys: FeedKeys,
  wanted: ReadonlyMap<string, ObjectReference>,
  found: Map<string, ObjectDetails>,
): Promise<ReadonlyMap<string, ObjectReference>> {
  const names = [...wanted.keys()];
  const stored = await unlessUnavailable(() =>
    cache.readMany(Array.from(wanted.values(), ({ type, id }) => keys.object(type, id))),
  );
  const missing = new Map(wanted);
  for (const [i, name] of names.entries()) {
    const text = stored?.[i];
    if (typeof text === 'string') {
      missing.delete(name);
      const details = decodeDetails(text);
      if (details !== null) {
        found.set(name, details);
      }
    }
  }
  return missing;
}

/** What `set-newer.lua` stores is "generation:offset:value". */
function decodeDetails(stored: string): ObjectDetails | null {
  return JSON.parse(stored.slice(stored.indexOf(':', stored.indexOf(':') + 1) + 1)) as ObjectDetails | null;
}

const objectsSql = `
  select type, id, title, owner_id as "ownerId", url, log_generation as generation, log_offset::float8 as offset
  from objects join unnest($1::text[], $2::text[]) as wanted (type, id) using (type, id)`;

async function readRows(
  database: ObjectSources['database'],
  references: readonly ObjectReference[],
): Promise<VersionedObject[]> {
  return whileDatabaseIsUp(() =>
    database.any<VersionedObject>(objectsSql, [references.map(({ type }) => type), references.map(({ id }) => id)]),
  );
}

function keysOf(cache: Pick<Cache, 'keys'>): FeedKeys | undefined {
  try {
    return cache.keys;
  } catch {
    return undefined;
  }
}
