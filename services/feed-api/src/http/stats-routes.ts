import { timestampSchema, verbSchema } from '@tideline/shared/activity';
import { invalidRequest } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { z } from 'zod';
import type { FeedTools } from '../feed/feed-tools.js';
import { activityCounts, bucketMs, type CountsQuery } from '../storage/activity-counts.js';
import { SqlScope } from '../storage/sql-scope.js';

const bucketsMax = 1_000;
/** Buckets by verbs; producers choose their verbs. */
const countsMax = 20_000;
const bucketsDefault = { '1h': 24, '1d': 30 } as const;

const timeSchema = z
  .string()
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : text))
  .pipe(timestampSchema)
  .optional()
  .meta({ type: 'string', description: 'Unix milliseconds or ISO 8601 with an offset' });

const querySchema = z.strictObject({
  bucket: z.enum(['1h', '1d']).meta({ description: 'An hour or a day, in UTC' }),
  verb: verbSchema.optional().meta({ description: 'This one alone' }),
  from: timeSchema,
  to: timeSchema,
});

const countsSchema = z
  .strictObject({
    buckets: z.array(
      z.strictObject({
        start: z.int().meta({ description: 'Unix milliseconds at which the bucket begins' }),
        verb: verbSchema,
        count: z.int().min(1),
      }),
    ),
  })
  .meta({ id: 'ActivityCounts' });

export function addStatsRoutes(api: Api, tools: FeedTools): void {
  api.add(
    {
      method: 'get',
      path: '/v1/stats/activities',
      tag: 'Statistics',
      summary: 'Counts of activities over time',
      description: `How many activities there were in each hour or day, by verb, from the bucket that \`from\` is in to before \`to\`; without them the last ${bucketsDefault['1h']} hours or ${bucketsDefault['1d']} days. They count what happened: also what was deleted since, and what is not for everybody. Buckets in which nothing happened are left out, and those of content that is not kept any more. ${bucketsMax} buckets at most.`,
      scope: 'read',
      query: querySchema,
      replies: { 200: { description: 'The counts, oldest first', schema: countsSchema } },
    },
    async ({ query }) => {
      const counts = await activityCounts(new SqlScope(tools), rangeOf(query), countsMax + 1);
      if (counts.length > countsMax) {
        throw invalidRequest(`That is more than ${countsMax} counts: ask for one verb, or for less time.`);
      }
      return { status: 200, body: { buckets: counts } };
    },
  );
}

/** Whole buckets. */
function rangeOf({ bucket, verb, from, to = Date.now() }: z.output<typeof querySchema>): CountsQuery {
  const width = bucketMs[bucket];
  const end = Math.ceil(to / width) * width;
  const begin = from === undefined ? end - bucketsDefault[bucket] * width : Math.floor(from / width) * width;
  if (begin >= end) {
    throw invalidRequest('`from` must be before `to`.');
  }
  if (end - begin > bucketsMax * width) {
    throw invalidRequest(`That is more than ${bucketsMax} buckets.`);
  }
  return { bucket, verb, from: begin, to: end };
}
