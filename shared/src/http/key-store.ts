import { LRUCache } from 'lru-cache';
import { digestOfKey } from '../api-key.js';
import type { Database } from '../database.js';
import { whileDatabaseIsUp } from '../database.js';
import { isDemoKey } from '../demo.js';
import type { Principal, Scope } from './principal.js';

/**
 * The owner of a key that is not revoked, or undefined. `beforeLookUp` is called, and may throw, where answering takes
 * the database. Throws `unavailable` where the owner cannot be known.
 */
export type KeyStore = (key: string, beforeLookUp: () => void) => Promise<Principal | undefined>;

const memoryTtlMs = 10_000;
/** How long a key goes on working while the database is away. */
const memoryStaleMs = 300_000;
const keysMax = 10_000;
/** Wrong keys have a memory of their own: a guesser cannot push out those that are right. */
const wrongKeysMax = 10_000;

interface KeyRow {
  kind: 'user' | 'service';
  name: string;
  user_id: string | null;
  scopes: Scope[];
}

/**
 * Only SHA-256 of keys is stored. Answers are remembered for 10 s, and for 5 min while the database is away. Without
 * demo mode the keys that everybody knows are wrong, even where the database still has them.
 */
export function keyStore(database: Database, demo: boolean): KeyStore {
  const owners = new LRUCache<string, { principal: Principal; readAt: number }>({ max: keysMax });
  const wrong = new LRUCache<string, true>({ max: wrongKeysMax, ttl: memoryTtlMs });

  function remember(name: string, principal: Principal | undefined): Principal | undefined {
    if (principal === undefined) {
      owners.delete(name);
      wrong.set(name, true);
    } else {
      owners.set(name, { principal, readAt: performance.now() });
    }
    return principal;
  }

  return async (key, beforeLookUp) => {
    const digest = digestOfKey(key);
    const name = digest.toString('base64');
    if (wrong.has(name) || (!demo && isDemoKey(digest))) {
      return undefined;
    }
    const known = owners.get(name);
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : performance.now() - known.readAt;
    if (known !== undefined && ageMs < memoryTtlMs) {
      return known.principal;
    }
    beforeLookUp();
    try {
      return remember(name, await whileDatabaseIsUp(() => readKey(database, digest)));
    } catch (error) {
      if (known !== undefined && ageMs < memoryStaleMs) {
        return known.principal;
      }
      throw error;
    }
  };
}

async function readKey(database: Database, digest: Buffer): Promise<Principal | undefined> {
  const row = await database.oneOrNone<KeyRow>(
    'select kind, name, user_id, scopes from api_keys where key_sha256 = $1 and revoked_at is null',
    [digest],
  );
  if (row === null) {
    return undefined;
  }
  return row.user_id === null
    ? { kind: 'service', name: row.name, scopes: new Set(row.scopes) }
    : { kind: 'user', name: row.name, userId: row.user_id };
}
