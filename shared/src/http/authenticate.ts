import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { LRUCache } from 'lru-cache';
import { userIdSchema } from '../activity.js';
import type { Database } from '../database.js';
import { whileDatabaseIsUp } from '../database.js';
import { invalidRequest, TidelineError } from '../errors.js';

export type Scope = 'write' | 'read' | 'admin';

/** Who is calling. A user key acts as its user; a service key has scopes and acts as anybody. */
export type Principal =
  | { kind: 'user'; name: string; userId: string }
  | { kind: 'service'; name: string; scopes: ReadonlySet<Scope> };

export interface KeyStore {
  /** The owner of a key that is not revoked, or undefined. Throws `unavailable` where that cannot be known. */
  principalOf(key: string): Promise<Principal | undefined>;
}

const keyCacheTtlMs = 10_000;
/** How long a key goes on working while the database is away. */
const keyCacheStaleMs = 300_000;
const keyCacheSizeMax = 10_000;

interface KeyRow {
  kind: 'user' | 'service';
  name: string;
  user_id: string | null;
  scopes: Scope[];
}

/** Only SHA-256 of keys is stored. Answers are remembered for 10 s, and for 5 min while the database is away. */
export function keyStore(database: Database): KeyStore {
  const cache = new LRUCache<string, { principal: Principal | undefined; readAt: number }>({ max: keyCacheSizeMax });
  return {
    async principalOf(key) {
      const digest = createHash('sha256').update(key).digest();
      const name = digest.toString('base64');
      const cached = cache.get(name);
      const ageMs = cached === undefined ? Number.POSITIVE_INFINITY : Date.now() - cached.readAt;
      if (cached !== undefined && ageMs < keyCacheTtlMs) {
        return cached.principal;
      }
      try {
        const principal = await whileDatabaseIsUp(() => readKey(database, digest));
        cache.set(name, { principal, readAt: Date.now() });
        return principal;
      } catch (error) {
        if (cached !== undefined && ageMs < keyCacheStaleMs) {
          return cached.principal;
        }
        throw error;
      }
    },
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

const principals = new WeakMap<Request, Principal>();

/** Puts a principal on every request that passes; the others get 401, whatever they ask for. */
export function authenticate(keys: KeyStore): RequestHandler {
  return async (request, _response, next) => {
    const key = request.headers['x-app-key'];
    const principal = typeof key === 'string' && key !== '' ? await keys.principalOf(key) : undefined;
    if (principal === undefined) {
      throw new TidelineError('unauthenticated', 'A valid key is needed in X-App-Key.');
    }
    principals.set(request, principal);
    next();
  };
}

/** The principal of an authenticated request. */
export function principalOf(request: Request): Principal {
  const principal = principals.get(request);
  if (principal === undefined) {
    throw new TidelineError('unauthenticated', 'A valid key is needed in X-App-Key.');
  }
  return principal;
}

/** Throws `forbidden` where a service key lacks the scope. A user key has what its user may do. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.kind === 'service' && !principal.scopes.has(scope)) {
    throw new TidelineError('forbidden', `This key lacks the scope ${scope}.`);
  }
}

/** Throws `forbidden` for user keys. */
export function requireService(principal: Principal, scope: Scope): void {
  if (principal.kind !== 'service') {
    throw new TidelineError('forbidden', 'This route is for service keys.');
  }
  requireScope(principal, scope);
}

/** The user that X-Act-As names, or undefined. Only a service may act as somebody else. */
export function actingAs(request: Request, principal: Principal): string | undefined {
  const header = request.headers['x-act-as'];
  if (header === undefined) {
    return undefined;
  }
  const named = userIdSchema.safeParse(header);
  if (!named.success) {
    throw invalidRequest('X-Act-As must be a user id.');
  }
  if (principal.kind === 'user' && principal.userId !== named.data) {
    throw new TidelineError('forbidden', 'A user key acts as its own user only.');
  }
  return named.data;
}

/** The user that "me" means in this request. */
export function callingUser(request: Request, principal: Principal): string {
  const user = actingAs(request, principal) ?? (principal.kind === 'user' ? principal.userId : undefined);
  if (user === undefined) {
    throw invalidRequest('A service key needs X-Act-As here, to say for which user it calls.');
  }
  return user;
}
