import { type ActivityRecord, type LogVersion, unknownFieldsOf } from '@tideline/shared/activity-record';
import { weekOfActivity } from '@tideline/shared/activity-weeks';
import { prepared, type Queryable } from '@tideline/shared/database';
import type { PartitionHold } from '@tideline/shared/feed-lists';
import {
  applyFollows,
  applyObjects,
  applyRelations,
  applyTombstones,
  applyUsers,
  ensureUsers,
  type FollowState,
  relationVerbs,
} from '@tideline/shared/projections';
import type { RecordBatch } from '../delivery/record-batch.js';
import { noteContents } from '../materialized/note-contents.js';
import type { StoredContent } from './activity-reader.js';
import { type BegunFollow, readBegunFollows } from './follow-history.js';
import { insertNotifications, replaceFollowNotifications } from './notification-writer.js';
import { checkFence } from './partition-fences.js';
import { noteReplays } from './replayed-records.js';

/** What the database says about a batch once it is committed. */
export interface PersistedBatch {
  /** What holds for each pair that the batch mentions. */
  follows: FollowState[];
  /** The follows of those pairs, each by the record that began it. */
  begunFollows: BegunFollow[];
  /** Contents that are deleted already. */
  deletedIds: ReadonlySet<string>;
  /** Contents that were there before: redelivered, or sent again by their producer. */
  knownIds: ReadonlySet<string>;
}

/**
 * Writes a batch in one transaction (I11): the fence first, then whatever decides about visibility, then content.
 * Writing it again changes nothing. Throws `fenced`, or what the database says.
 */
export async function persistBatch(
  database: Queryable,
  hold: PartitionHold,
  batch: RecordBatch,
  knownUsers: { has(userId: string): boolean },
): Promise<PersistedBatch> {
  return database.tx(async (transaction) => {
    await checkFence(transaction, hold.partition, hold.fence);
    await insertControls(transaction, batch.controls);
    await ensureUsers(
      transaction,
      usersNamedBy(batch).filter((userId) => !knownUsers.has(userId)),
    );
    await applyUsers(transaction, batch.users.map(userChange));
    await applyObjects(transaction, batch.objects.map(objectChange));
    const follows = await applyFollows(transaction, batch.follows.map(followChange));
    await applyRelations(transaction, batch.relations.map(relationChange));
    await applyTombstones(transaction, batch.deletes.map(tombstone));
    const begunFollows = await readBegunFollows(transaction, batch);
    await replaceFollowNotifications(transaction, begunFollows);
    const exceptions = await insertContents(transaction, batch.contents);
    const knownIds = new Set(exceptions.filter(({ known }) => known).map(({ id }) => id));
    const contents = contentsOf(batch, knownIds);
    await insertNotifications(transaction, contents);
    await noteContents(transaction, contents);
    await noteReplays(transaction, batch);
    return {
      follows,
      begunFollows,
      deletedIds: new Set(exceptions.filter(({ deleted }) => deleted).map(({ id }) => id)),
      knownIds,
    };
  });
}

/** The contents of a batch that were not known before. */
export function contentsOf({ contents }: RecordBatch, knownIds: ReadonlySet<string>): StoredContent[] {
  return contents
    .filter(({ record }) => !knownIds.has(record.id))
    .map(({ record: { id, actorId, to = null, objectOwnerId = null } }) => ({
      id,
      actorId,
      to,
      objectOwnerId,
      isDelivered: false,
    }));
}

/** Users that must exist for what the batch says. */
export function usersNamedBy(batch: RecordBatch): string[] {
  const named = new Set(batch.contents.map(({ record }) => record.actorId));
  for (const { record } of [...batch.follows, ...batch.relations]) {
    named.add(record.actorId).add(record.objectId);
  }
  for (const { record } of batch.objects) {
    if (record.ownerId !== undefined) {
      named.add(record.ownerId);
    }
  }
  return [...named];
}

// What is before the horizon counts as known, and is not found any more by whoever looks for it: a replay brings nothing back.
const insertContentsSql = `
  with input as (
    select * from unnest(
      $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bigint[],
      $18::integer[], $19::integer[], $20::bigint[]
    ) as r (
      id, actor_id, verb, object_type, object_id, object_title, target_type, target_id, target_title,
      object_owner_id, audience, metadata, other_fields, foreign_id, caller_id, request_id, accepted_at,
      log_generation, log_partition, log_offset)
  ), inserted as (
    insert into activities (
      id, time, actor_id, verb, object_type, object_id, object_title, target_type, target_id, target_title,
      object_owner_id, audience, metadata, other_fields, foreign_id, caller_id, request_id, accepted_at,
      log_generation, log_partition, log_offset)
    select
      id, activity_time(id), actor_id, verb, object_type, object_id, object_title, target_type, target_id, target_title,
      object_owner_id, audience::text[], metadata::jsonb, other_fields::jsonb, foreign_id, caller_id, request_id,
      to_timestamp(accepted_at / 1000.0), log_generation, log_partition, log_offset
    from input
    where activity_time(id) >= (select horizon from retention)
    on conflict do nothing
    returning id
  ), weeks as (
    insert into author_weeks (author_id, week)
    select author_id, week from unnest($21::text[], $22::integer[]) as w (author_id, week)
    where timestamptz 'epoch' + week * interval '7 days' >= (select horizon from retention)
    on conflict do nothing
  )
  select input.id, inserted.id is null as known, t.activity_id is not null as deleted
  from input
  left join inserted using (id)
  left join tombstones t on t.activity_id = input.id and t.author_id = input.actor_id
  where inserted.id is null or t.activity_id is not null`;

interface ContentException {
  id: string;
  known: boolean;
  deleted: boolean;
}

async function insertContents(transaction: Queryable, contents: RecordBatch['contents']): Promise<ContentException[]> {
  if (contents.length === 0) {
    return [];
  }
  const records = contents.map(({ record }) => record);
  const weeks = authorWeeks(records);
  return transaction.any<ContentException>(
    prepared('insert-contents', insertContentsSql, [
      records.map((record) => record.id),
      records.map((record) => record.actorId),
      records.map((record) => record.verb),
      records.map((record) => record.objectType),
      records.map((record) => record.objectId),
      records.map((record) => record.objectTitle ?? null),
      records.map((record) => record.targetType ?? null),
      records.map((record) => record.targetId ?? null),
      records.map((record) => record.targetTitle ?? null),
      records.map((record) => record.objectOwnerId ?? null),
      // Array literals, because arrays of different lengths are no array of arrays. Quoted: a user may be called null.
      records.map((record) => (record.to === undefined ? null : `{${record.to.map((id) => `"${id}"`).join(',')}}`)),
      records.map((record) => (record.metadata === undefined ? null : JSON.stringify(record.metadata))),
      records.map(otherFields),
      records.map((record) => record.foreignId ?? null),
      records.map((record) => record.callerId),
      records.map((record) => record.requestId),
      records.map((record) => record.acceptedAt),
      ...versionColumns(contents),
      weeks.map(({ authorId }) => authorId),
      weeks.map(({ week }) => week),
    ]),
  );
}

/** In which weeks authors did something, each once. */
function authorWeeks(records: readonly { id: string; actorId: string }[]): { authorId: string; week: number }[] {
  const weeks = new Map(
    records.map(({ id, actorId }) => {
      const week = weekOfActivity(id);
      return [`${actorId} ${week}`, { authorId: actorId, week }];
    }),
  );
  return [...weeks.values()];
}

const insertControlsSql = `
  insert into control_activities (
    id, actor_id, verb, object_type, object_id, author_id, metadata, other_fields, caller_id, request_id, accepted_at,
    log_generation, log_partition, log_offset)
  select
    id, actor_id, verb, object_type, object_id, author_id, metadata::jsonb, other_fields::jsonb, caller_id, request_id,
    to_timestamp(accepted_at / 1000.0), log_generation, log_partition, log_offset
  from unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::bigint[], $12::integer[], $13::integer[], $14::bigint[]
  ) as r (
    id, actor_id, verb, object_type, object_id, author_id, metadata, other_fields, caller_id, request_id, accepted_at,
    log_generation, log_partition, log_offset)
  on conflict do nothing`;

async function insertControls(transaction: Queryable, controls: RecordBatch['controls']): Promise<void> {
  if (controls.length === 0) {
    return;
  }
  const records = controls.map(({ record }) => record);
  await transaction.none(
    prepared('insert-controls', insertControlsSql, [
      records.map((record) => record.id),
      records.map((record) => record.actorId),
      records.map((record) => record.verb),
      records.map((record) => record.objectType),
      records.map((record) => record.objectId),
      records.map((record) => (record.kind === 'delete' ? record.authorId : record.objectId)),
      records.map(controlMetadata),
      records.map(otherFields),
      records.map((record) => record.callerId),
      records.map((record) => record.requestId),
      records.map((record) => record.acceptedAt),
      ...versionColumns(controls),
    ]),
  );
}

/** What a control record says besides who, what and whom: all that its projection is rebuilt from. */
function controlMetadata(record: RecordBatch['controls'][number]['record']): string | null {
  switch (record.kind) {
    case 'user':
      return JSON.stringify({ name: record.name, avatar: record.avatar });
    case 'object':
      return JSON.stringify({
        title: record.title,
        ownerId: record.ownerId,
        url: record.url,
        metadata: record.metadata,
      });
    case 'follow':
    case 'relation':
    case 'delete':
      return null;
  }
}

function otherFields(record: ActivityRecord): string | null {
  const fields = unknownFieldsOf(record);
  return fields === undefined ? null : JSON.stringify(fields);
}

function versionColumns(logged: readonly { version: LogVersion }[]): number[][] {
  return [
    logged.map(({ version }) => version.generation),
    logged.map(({ version }) => version.partition),
    logged.map(({ version }) => version.offset),
  ];
}

function followChange({ record, version }: RecordBatch['follows'][number]) {
  return {
    followerId: record.actorId,
    followeeId: record.objectId,
    active: record.verb === 'follow',
    changedAt: record.acceptedAt,
    version,
  };
}

function relationChange({ record, version }: RecordBatch['relations'][number]) {
  return {
    userId: record.actorId,
    otherId: record.objectId,
    ...relationVerbs[record.verb],
    changedAt: record.acceptedAt,
    version,
  };
}

function tombstone({ record, version }: RecordBatch['deletes'][number]) {
  return { activityId: record.objectId, authorId: record.authorId, deletedAt: record.acceptedAt, version };
}

function userChange({ record, version }: RecordBatch['users'][number]) {
  return { userId: record.objectId, name: record.name, avatar: record.avatar ?? null, version };
}

function objectChange({ record, version }: RecordBatch['objects'][number]) {
  return {
    type: record.objectType,
    id: record.objectId,
    title: record.title ?? null,
    ownerId: record.ownerId ?? null,
    url: record.url ?? null,
    metadata: record.metadata ?? null,
    changedAt: record.acceptedAt,
    version,
  };
}
