import { activityIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { z } from 'zod';
import type { FeedTools } from '../feed/feed-tools.js';
import { readActivity } from '../feed/read-activity.js';
import { readActivityFanout } from '../feed/read-activity-fanout.js';
import { activityStreamsActivity } from './activity-streams.js';
import {
  activityStreamsActivitySchema,
  activityStreamsContent,
  negotiated,
  negotiationHeaders,
  negotiationNote,
} from './activity-streams-reply.js';
import { itemSchema } from './items.js';
import type { PublicLinks } from './public-links.js';
import { readerOf } from './reading.js';

const fanoutResultSchema = z
  .strictObject({
    strategy: z.enum(['fanout', 'lazy']).meta({ description: 'lazy: readers merge what this author does' }),
    followers: z.int().meta({ description: 'How many followed the author then' }),
    delivered: z.int().meta({ description: 'How many of them it was pushed to' }),
    publishedAt: z.int().meta({ description: 'Unix milliseconds at which it was taken' }),
    deliveredAt: z.int().meta({ description: 'Unix milliseconds at which it was delivered' }),
    latencyMs: z.int(),
  })
  .meta({ id: 'FanoutResult' });

export function addActivityRoutes(api: Api, tools: FeedTools, links: PublicLinks): void {
  api.add(
    {
      method: 'get',
      path: '/v1/activities/{id}',
      tag: 'Activities',
      summary: 'One activity',
      description: `404 also where the caller is not in its audience, muted its actor, or a block is between the two.\n\n${negotiationNote}`,
      scope: 'read',
      params: z.strictObject({ id: activityIdSchema }),
      replies: {
        200: {
          description: 'The activity',
          schema: itemSchema,
          otherContent: activityStreamsContent(activityStreamsActivitySchema),
          headers: negotiationHeaders,
        },
      },
      errors: ['not_found'],
    },
    async ({ principal, params, request }) => {
      const shown = await readActivity(tools, readerOf(request, principal), params.id);
      if (shown === undefined) {
        throw new TidelineError('not_found', 'There is no such activity.');
      }
      const { item, isPublic } = shown;
      return negotiated(request, { status: 200, body: item }, () =>
        activityStreamsActivity(request, links, item, isPublic),
      );
    },
  );

  api.add(
    {
      method: 'get',
      path: '/v1/activities/{id}/fanout',
      tag: 'Activities',
      summary: 'How an activity was delivered',
      description: 'Known from when it was delivered, and for a day.',
      scope: 'read',
      params: z.strictObject({ id: activityIdSchema }),
      replies: { 200: { description: 'The result', schema: fanoutResultSchema } },
      errors: ['not_found'],
    },
    async ({ principal, params, request }) => {
      const result = await readActivityFanout(tools, readerOf(request, principal), params.id);
      if (result === undefined) {
        throw new TidelineError('not_found', 'There is no such activity, or not yet or no more a result of it.');
      }
      return { status: 200, body: result };
    },
  );
}
