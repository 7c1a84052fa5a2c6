import { randomBytes } from 'node:crypto';
import { digestOfKey, keyPrefix } from '@tideline/shared/api-key';
import { TidelineError } from '@tideline/shared/errors';
import type { Scope } from '@tideline/shared/http/principal';
import type pg from 'pg';

/** Keys of callers. Only their SHA-256 is stored: a key is shown once, when it is made. */

const keySizeBytes = 32;
/** Enough to tell keys apart, and nothing that could be guessed from. */
const fingerprintLength = 12;

export type KeyOwner = { userId: string } | { service: string; scopes: readonly Scope[] };

export interface MadeKey {
  key: string;
  fingerprint: string;
}

export interface ListedKey {
  fingerprint: string;
  kind: 'user' | 'service';
  /** Of the service, or the id of the user. */
  owner: string;
  scopes: Scope[];
  createdAt: Date;
  revokedAt: Date | null;
}

const putUser = 'insert into users (id, name) values ($1, $1) on conflict (id) do nothing';

const putKey = 'insert into api_keys (key_sha256, kind, name, user_id, scopes) values ($1, $2, $3, $4, $5)';

const selectKeys = `
  select left(encode(key_sha256, 'hex'), ${fingerprintLength}) as fingerprint, kind, coalesce(user_id, name) as owner,
         scopes, created_at as "createdAt", revoked_at as "revokedAt"
  from api_keys
  order by created_at, key_sha256`;

const findKeys = `
  select encode(key_sha256, 'hex') as digest, revoked_at as "revokedAt"
  from api_keys
  where starts_with(encode(key_sha256, 'hex'), $1)`;

const revoke = `update api_keys set revoked_at = now() where key_sha256 = decode($1, 'hex') and revoked_at is null`;

/** Makes a key. A user who does not exist yet is made too, with its id as name. */
export async function createKey(client: pg.ClientBase, owner: KeyOwner): Promise<MadeKey> {
  const key = `${keyPrefix}${randomBytes(keySizeBytes).toString('base64url')}`;
  const digest = digestOfKey(key);
  if ('userId' in owner) {
    await client.query(putUser, [owner.userId]);
    await client.query(putKey, [digest, 'user', owner.userId, owner.userId, []]);
  } else {
    await client.query(putKey, [digest, 'service', owner.service, null, owner.scopes]);
  }
  return { key, fingerprint: digest.toString('hex').slice(0, fingerprintLength) };
}

/** All keys, revoked ones too, oldest first. */
export async function listKeys(client: pg.ClientBase): Promise<ListedKey[]> {
  const { rows } = await client.query<ListedKey>(selectKeys);
  return rows;
}

/**
 * Revokes the one key whose SHA-256 begins like this: 12 hex digits or more. Returns false where it was revoked before.
 * Throws `configuration` where that is no key, or more than one.
 */
export async function revokeKey(client: pg.ClientBase, fingerprint: string): Promise<boolean> {
  if (!/^[0-9a-f]{12,64}$/i.test(fingerprint)) {
    throw new TidelineError('configuration', `"${fingerprint}" is no fingerprint: those are 12 hex digits or more.`);
  }
  const { rows } = await client.query<{ digest: string }>(findKeys, [fingerprint.toLowerCase()]);
  const [found] = rows;
  if (found === undefined) {
    throw new TidelineError('configuration', `No key has the fingerprint ${fingerprint}.`);
  }
  if (rows.length > 1) {
    const digests = rows.map(({ digest }) => digest).join('\n  ');
    throw new TidelineError('configuration', `${fingerprint} is ambiguous. Give more digits of one:\n  ${digests}`);
  }
  const { rowCount } = await client.query(revoke, [found.digest]);
  return rowCount === 1;
}
