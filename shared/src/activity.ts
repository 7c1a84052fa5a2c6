import { z } from 'zod';
import { isActivityId } from './activity-id.js';

/** Limits of the public contract. */
export const activityLimits = {
  batchMax: 500,
  followBatchMax: 1_000,
  audienceMax: 100,
  textLengthMax: 1_024,
  foreignIdLengthMax: 256,
  /** How far a producer's clock may be ahead. */
  futureSkewMaxMs: 5_000,
  /** 2000-01-01: whatever is older is a broken clock. */
  timestampMin: Date.UTC(2000, 0, 1),
  nestingMax: 8,
} as const;

/** Verbs that change something besides the feed; each has its own route. */
export const reservedVerbs = ['follow', 'unfollow', 'delete', 'update', 'mute', 'unmute', 'block', 'unblock'] as const;
const reserved: ReadonlySet<string> = new Set(reservedVerbs);

export const userIdSchema = z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ . : -');

export const activityIdSchema = z.string().refine(isActivityId, 'is not an activity id').meta({ format: 'uuid' });

export const verbSchema = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'must match ^[a-z][a-z0-9_-]{0,31}$');

export const textSchema = z.string().max(activityLimits.textLengthMax);
export const typeSchema = z.string().min(1).max(64);
export const referenceSchema = z.string().min(1).max(256);
const metadataSchema = z.record(z.string(), z.unknown());

/** Unix milliseconds from milliseconds or ISO 8601 with an offset or Z. */
export const timestampSchema = z
  .union([z.int(), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))])
  .refine((ms) => ms >= activityLimits.timestampMin, 'must not be before 2000')
  .refine((ms) => ms <= Date.now() + activityLimits.futureSkewMaxMs, 'must not be in the future');

/** A verb that feeds show: reserved ones have routes of their own. */
export const contentVerbSchema = verbSchema.refine(
  (verb) => !reserved.has(verb),
  'is reserved: it has a route of its own',
);

/** An activity as a producer posts it. */
export const activityInputSchema = z
  .strictObject({
    actorId: userIdSchema.optional(),
    verb: contentVerbSchema,
    objectType: typeSchema,
    objectId: referenceSchema,
    objectTitle: textSchema.optional(),
    targetType: typeSchema.optional(),
    targetId: referenceSchema.optional(),
    targetTitle: textSchema.optional(),
    to: z.array(userIdSchema).min(1).max(activityLimits.audienceMax).optional(),
    metadata: metadataSchema.optional(),
    foreignId: z.string().min(1).max(activityLimits.foreignIdLengthMax).optional(),
    timestamp: timestampSchema.optional(),
  })
  .refine((input) => input.foreignId === undefined || input.timestamp !== undefined, {
    path: ['foreignId'],
    message: 'requires timestamp: the id is made of both',
  })
  .refine((input) => (input.targetType === undefined) === (input.targetId === undefined), {
    path: ['targetId'],
    message: 'targetType and targetId go together',
  });

export type ActivityInput = z.infer<typeof activityInputSchema>;

/** An activity as it is stored: immutable, without names that may change. `timestamp` is Unix milliseconds. */
export interface Activity {
  id: string;
  actorId: string;
  verb: string;
  objectType: string;
  objectId: string;
  objectTitle?: string;
  targetType?: string;
  targetId?: string;
  targetTitle?: string;
  /** Who may see it besides the actor; absent: everybody. */
  to?: string[];
  metadata?: Record<string, unknown>;
  timestamp: number;
}

/** An activity as feeds show it (requirement C1), with current names. */
export interface FeedItem extends Omit<Activity, 'to'> {
  actorName: string;
  actorAvatar: string | null;
}
