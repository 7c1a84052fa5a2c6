import { userIdSchema, verbSchema } from '@tideline/shared/activity';
import { z } from 'zod';
import { pageSchema } from './page-reply.js';

/** An item of a feed, as it is answered (requirement C1). */
export const itemSchema = z
  .strictObject({
    id: z.uuid(),
    actorId: userIdSchema,
    actorName: z.string(),
    actorAvatar: z.string().nullable(),
    verb: verbSchema,
    objectType: z.string(),
    objectId: z.string(),
    objectTitle: z.string().optional(),
    targetType: z.string().optional(),
    targetId: z.string().optional(),
    targetTitle: z.string().optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    timestamp: z.int().meta({ description: 'Unix milliseconds' }),
  })
  .meta({ id: 'Item' });

/** A page of a feed. */
export const feedPageSchema = pageSchema(itemSchema, 'FeedPage');
