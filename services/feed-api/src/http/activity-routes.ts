import { activityIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { z } from 'zod';
import type { FeedTools } from '../feed/feed-tools.js';
import { readActivity } from '../feed/read-activity.js';
import { itemSchema } from './items.js';
import { readerOf } from './reading.js';

export function addActivityRoutes(api: Api, tools: FeedTools): void {
  api.add(
    {
      method: 'get',
      path: '/v1/activities/{id}',
      tag: 'Activities',
      summary: 'One activity',
      scope: 'read',
      params: z.strictObject({ id: activityIdSchema }),
      replies: { 200: { description: 'The activity', schema: itemSchema } },
      errors: ['not_found'],
    },
    async ({ principal, params, request }) => {
      const item = await readActivity(tools, readerOf(request, principal), params.id);
      if (item === undefined) {
        throw new TidelineError('not_found', 'There is no such activity.');
      }
      return { status: 200, body: item };
    },
  );
}
