import { z } from 'zod';
import { activityIdSchema, contentVerbSchema, userIdSchema } from './activity.js';
import { type RecordVersions, upcastRecord } from './record-versions.js';

/**
 * What stands on the topic: every change is a record, content and control alike. The value is JSON, validated again on
 * decode, because other producers may write to the topic too.
 */
export const recordVersion = 1;

/** What this release reads: there is no older version yet. */
const recordVersions: RecordVersions = { current: recordVersion, upcasts: new Map() };

export const recordHeaders = { version: 'v', requestId: 'request-id', traceparent: 'traceparent' } as const;

const envelope = {
  v: z.literal(recordVersion),
  id: activityIdSchema,
  actorId: userIdSchema,
  objectType: z.string().min(1),
  objectId: z.string().min(1),
  callerId: z.string(),
  requestId: z.string(),
  /** Unix milliseconds at which ingest took it: where freshness is measured from. */
  acceptedAt: z.int(),
  /** Somebody waits for it: then fanout says when a record that is not content is applied too (`fanout-results.ts`). */
  awaited: z.literal(true).optional(),
};

const contentSchema = z.looseObject({
  ...envelope,
  kind: z.literal('content'),
  verb: contentVerbSchema,
  objectTitle: z.string().optional(),
  targetType: z.string().optional(),
  targetId: z.string().optional(),
  targetTitle: z.string().optional(),
  objectOwnerId: userIdSchema.optional(),
  to: z.array(userIdSchema).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  foreignId: z.string().optional(),
});

/** `actorId` follows or unfollows the user `objectId`. */
const followSchema = z.looseObject({
  ...envelope,
  kind: z.literal('follow'),
  verb: z.enum(['follow', 'unfollow']),
  objectType: z.literal('user'),
  objectId: userIdSchema,
});

/**
 * `actorId` mutes or blocks the user `objectId`, or ends that. Nobody does it to themselves: what a user did is never
 * hidden from that user.
 */
const relationSchema = z
  .looseObject({
    ...envelope,
    kind: z.literal('relation'),
    verb: z.enum(['mute', 'unmute', 'block', 'unblock']),
    objectType: z.literal('user'),
    objectId: userIdSchema,
  })
  .refine(({ actorId, objectId }) => actorId !== objectId, { path: ['objectId'], message: 'must be another user' });

/** `actorId` deletes the activity `objectId` of `authorId`; the two differ only for an admin. */
const deleteSchema = z.looseObject({
  ...envelope,
  kind: z.literal('delete'),
  verb: z.literal('delete'),
  objectType: z.literal('activity'),
  objectId: activityIdSchema,
  authorId: userIdSchema,
});

/** The user `objectId` is called `name` from now on. */
const userSchema = z.looseObject({
  ...envelope,
  kind: z.literal('user'),
  verb: z.literal('update'),
  objectType: z.literal('user'),
  objectId: userIdSchema,
  name: z.string(),
  avatar: z.string().optional(),
});

/**
 * The object `objectType`, `objectId` is this from now on: what is absent, it does not have. Who may say so, and that an
 * owner stays who is not named, was decided by ingest.
 */
const objectSchema = z.looseObject({
  ...envelope,
  kind: z.literal('object'),
  verb: z.literal('update'),
  title: z.string().optional(),
  ownerId: userIdSchema.optional(),
  url: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/** Also what the AsyncAPI document is made of. */
export const recordSchema = z.discriminatedUnion('kind', [
  contentSchema,
  followSchema,
  relationSchema,
  deleteSchema,
  userSchema,
  objectSchema,
]);

export type ContentRecord = z.infer<typeof contentSchema>;
export type FollowRecord = z.infer<typeof followSchema>;
export type RelationRecord = z.infer<typeof relationSchema>;
export type DeleteRecord = z.infer<typeof deleteSchema>;
export type UserRecord = z.infer<typeof userSchema>;
export type ObjectRecord = z.infer<typeof objectSchema>;
export type ActivityRecord = z.infer<typeof recordSchema>;

/** Where a record stands on the log (I1). Ingest knows it from the acknowledgement, fanout from the record. */
export interface LogVersion {
  generation: number;
  partition: number;
  offset: number;
}

/**
 * I1: the user whose audience the record concerns, so that all that decides who gets an author's activities is in one
 * partition, in order: for follows, mutes and blocks the other user. A block also keeps the other user from what the
 * blocking one does, in another partition; that needs no order, because readers check for it and deliveries do not. For
 * objects, which have no audience, `type:id`. A user and an object, or two objects, may have
 * the same key: they share a partition then, which is all that a key decides.
 */
export function logKeyOf(record: ActivityRecord): string {
  switch (record.kind) {
    case 'content':
      return record.actorId;
    case 'follow':
    case 'relation':
    case 'user':
      return record.objectId;
    case 'delete':
      return record.authorId;
    case 'object':
      return `${record.objectType}:${record.objectId}`;
  }
}

export function encodeRecord(record: ActivityRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/**
 * A record of this version or an older one, in the form of this one. Fields that are not known stay in it. Throws
 * `UnknownRecordVersionError`, and `SyntaxError` or `ZodError` for a record that does not follow the schema.
 */
export function decodeRecord(value: Buffer | null, versions = recordVersions): ActivityRecord {
  if (value === null) {
    throw new SyntaxError('the record has no value');
  }
  return recordSchema.parse(upcastRecord(JSON.parse(value.toString('utf8')), versions));
}

const knownFields = new Map(
  recordSchema.options.map(({ shape }) => [shape.kind.value, new Set(Object.keys(shape))] as const),
);

/** The fields of a record that this release does not know: a newer one, or another producer, has written them. */
export function unknownFieldsOf(record: ActivityRecord): Record<string, unknown> | undefined {
  const known = knownFields.get(record.kind);
  const names = Object.keys(record).filter((name) => known?.has(name) !== true);
  if (names.length === 0) {
    return undefined;
  }
  return Object.fromEntries(Object.entries(record).filter(([name]) => names.includes(name)));
}
