import type { LogVersion, RelationRecord } from './activity-record.js';
import { prepared, type Queryable } from './database.js';

/**
 * The SQL that brings a control record into its projection. Fanout runs it for every record; ingest runs the same for
 * corrections before it answers (I8). It is last-writer-wins by version, so order and repetition do not matter.
 * Rows are locked in key order, so that two transactions cannot wait for each other in a circle.
 */

export interface FollowChange {
  followerId: string;
  followeeId: string;
  active: boolean;
  /** Unix milliseconds. */
  changedAt: number;
  version: LogVersion;
}

export interface FollowState {
  followerId: string;
  followeeId: string;
  active: boolean;
}

const upsertFollows = `
  insert into follows as f (follower_id, followee_id, active, changed_at, log_generation, log_partition, log_offset)
  select follower_id, followee_id, active, to_timestamp(changed_at / 1000.0), log_generation, log_partition, log_offset
  from unnest($1::text[], $2::text[], $3::boolean[], $4::bigint[], $5::integer[], $6::integer[], $7::bigint[])
    as change (follower_id, followee_id, active, changed_at, log_generation, log_partition, log_offset)
  order by follower_id, followee_id
  on conflict (follower_id, followee_id) do update
    set active = excluded.active, changed_at = excluded.changed_at, log_generation = excluded.log_generation,
        log_partition = excluded.log_partition, log_offset = excluded.log_offset
    where (excluded.log_generation, excluded.log_offset) > (f.log_generation, f.log_offset)`;

const readFollows = `
  select follower_id as "followerId", followee_id as "followeeId", active
  from follows join unnest($1::text[], $2::text[]) as pair (follower_id, followee_id) using (follower_id, followee_id)`;

/**
 * Applies follows and unfollows, at most one change a pair. Returns what holds for each pair now, which is not what
 * the change said where a newer one was there already.
 */
export async function applyFollows(database: Queryable, changes: readonly FollowChange[]): Promise<FollowState[]> {
  if (changes.length === 0) {
    return [];
  }
  const followers = changes.map((change) => change.followerId);
  const followees = changes.map((change) => change.followeeId);
  await database.none(
    prepared('upsert-follows', upsertFollows, [
      followers,
      followees,
      changes.map((change) => change.active),
      changes.map((change) => change.changedAt),
      changes.map((change) => change.version.generation),
      changes.map((change) => change.version.partition),
      changes.map((change) => change.version.offset),
    ]),
  );
  return database.any<FollowState>(prepared('read-follows', readFollows, [followers, followees]));
}

export type RelationKind = 'mute' | 'block';

export interface RelationChange {
  /** Who mutes or blocks, or ended that. */
  userId: string;
  otherId: string;
  kind: RelationKind;
  active: boolean;
  /** Unix milliseconds. */
  changedAt: number;
  version: LogVersion;
}

/** What each verb of a relation says. */
export const relationVerbs = {
  mute: { kind: 'mute', active: true },
  unmute: { kind: 'mute', active: false },
  block: { kind: 'block', active: true },
  unblock: { kind: 'block', active: false },
} as const satisfies Record<RelationRecord['verb'], Pick<RelationChange, 'kind' | 'active'>>;

/** Whose pages a change of a relation concerns. A mute is nobody's business but of the one who mutes. */
export function relationReaders({ actorId, objectId, verb }: RelationRecord): string[] {
  return relationVerbs[verb].kind === 'mute' ? [actorId] : [actorId, objectId];
}

const upsertRelations = `
  insert into relations as r (user_id, other_id, kind, active, changed_at, log_generation, log_partition, log_offset)
  select user_id, other_id, kind, active, to_timestamp(changed_at / 1000.0), log_generation, log_partition, log_offset
  from unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bigint[], $6::integer[], $7::integer[], $8::bigint[])
    as change (user_id, other_id, kind, active, changed_at, log_generation, log_partition, log_offset)
  order by user_id, other_id, kind
  on conflict (user_id, other_id, kind) do update
    set active = excluded.active, changed_at = excluded.changed_at, log_generation = excluded.log_generation,
        log_partition = excluded.log_partition, log_offset = excluded.log_offset
    where (excluded.log_generation, excluded.log_offset) > (r.log_generation, r.log_offset)`;

/** Applies mutes, blocks and their ends, at most one change of a kind for a pair. */
export async function applyRelations(database: Queryable, changes: readonly RelationChange[]): Promise<void> {
  if (changes.length === 0) {
    return;
  }
  await database.none(
    prepared('upsert-relations', upsertRelations, [
      changes.map((change) => change.userId),
      changes.map((change) => change.otherId),
      changes.map((change) => change.kind),
      changes.map((change) => change.active),
      changes.map((change) => change.changedAt),
      changes.map((change) => change.version.generation),
      changes.map((change) => change.version.partition),
      changes.map((change) => change.version.offset),
    ]),
  );
}

export interface Tombstone {
  activityId: string;
  authorId: string;
  /** Unix milliseconds. */
  deletedAt: number;
  version: LogVersion;
}

const insertTombstones = `
  insert into tombstones (activity_id, author_id, deleted_at, log_generation, log_partition, log_offset)
  select activity_id, author_id, to_timestamp(deleted_at / 1000.0), log_generation, log_partition, log_offset
  from unnest($1::uuid[], $2::text[], $3::bigint[], $4::integer[], $5::integer[], $6::bigint[])
    as t (activity_id, author_id, deleted_at, log_generation, log_partition, log_offset)
  order by activity_id, author_id
  on conflict (activity_id, author_id) do nothing`;

/** Deletes cannot be undone, so the first one stays. */
export async function applyTombstones(database: Queryable, tombstones: readonly Tombstone[]): Promise<void> {
  if (tombstones.length === 0) {
    return;
  }
  await database.none(
    prepared('insert-tombstones', insertTombstones, [
      tombstones.map((tombstone) => tombstone.activityId),
      tombstones.map((tombstone) => tombstone.authorId),
      tombstones.map((tombstone) => tombstone.deletedAt),
      tombstones.map((tombstone) => tombstone.version.generation),
      tombstones.map((tombstone) => tombstone.version.partition),
      tombstones.map((tombstone) => tombstone.version.offset),
    ]),
  );
}

export interface UserChange {
  userId: string;
  name: string;
  avatar: string | null;
  version: LogVersion;
}

const upsertUsers = `
  insert into users as u (id, name, avatar, log_generation, log_partition, log_offset)
  select id, name, avatar, log_generation, log_partition, log_offset
  from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::integer[], $6::bigint[])
    as change (id, name, avatar, log_generation, log_partition, log_offset)
  order by id
  on conflict (id) do update
    set name = excluded.name, avatar = excluded.avatar, updated_at = now(), log_generation = excluded.log_generation,
        log_partition = excluded.log_partition, log_offset = excluded.log_offset
    where (excluded.log_generation, excluded.log_offset) > (u.log_generation, u.log_offset)`;

/** Applies names and avatars, at most one change a user. */
export async function applyUsers(database: Queryable, changes: readonly UserChange[]): Promise<void> {
  if (changes.length === 0) {
    return;
  }
  await database.none(
    prepared('upsert-users', upsertUsers, [
      changes.map((change) => change.userId),
      changes.map((change) => change.name),
      changes.map((change) => change.avatar),
      changes.map((change) => change.version.generation),
      changes.map((change) => change.version.partition),
      changes.map((change) => change.version.offset),
    ]),
  );
}

export interface ObjectChange {
  type: string;
  id: string;
  title: string | null;
  ownerId: string | null;
  url: string | null;
  metadata: Record<string, unknown> | null;
  /** Unix milliseconds. */
  changedAt: number;
  version: LogVersion;
}

const upsertObjects = `
  insert into objects as o (
    type, id, title, owner_id, url, metadata, created_at, updated_at, log_generation, log_partition, log_offset)
  select
    type, id, title, owner_id, url, metadata::jsonb, to_timestamp(changed_at / 1000.0), to_timestamp(changed_at / 1000.0),
    log_generation, log_partition, log_offset
  from unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::integer[], $9::integer[],
    $10::bigint[]
  ) as change (type, id, title, owner_id, url, metadata, changed_at, log_generation, log_partition, log_offset)
  order by type, id
  on conflict (type, id) do update
    set title = excluded.title, owner_id = excluded.owner_id, url = excluded.url, metadata = excluded.metadata,
        updated_at = excluded.updated_at, log_generation = excluded.log_generation,
        log_partition = excluded.log_partition, log_offset = excluded.log_offset
    where (excluded.log_generation, excluded.log_offset) > (o.log_generation, o.log_offset)`;

/** Applies what objects are from now on, at most one change an object. Objects are never removed. */
export async function applyObjects(database: Queryable, changes: readonly ObjectChange[]): Promise<void> {
  if (changes.length === 0) {
    return;
  }
  await database.none(
    prepared('upsert-objects', upsertObjects, [
      changes.map((change) => change.type),
      changes.map((change) => change.id),
      changes.map((change) => change.title),
      changes.map((change) => change.ownerId),
      changes.map((change) => change.url),
      changes.map((change) => (change.metadata === null ? null : JSON.stringify(change.metadata))),
      changes.map((change) => change.changedAt),
      changes.map((change) => change.version.generation),
      changes.map((change) => change.version.partition),
      changes.map((change) => change.version.offset),
    ]),
  );
}

const insertUnknownUsers = `
  insert into users (id, name)
  select id, id from unnest($1::text[]) as named (id) order by id
  on conflict (id) do nothing`;

/** Users that are only named so far get their id as name. */
export async function ensureUsers(database: Queryable, userIds: readonly string[]): Promise<void> {
  if (userIds.length > 0) {
    await database.none(prepared('insert-unknown-users', insertUnknownUsers, [userIds]));
  }
}
