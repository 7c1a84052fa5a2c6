import { activityIdSchema, activityInputSchema, activityLimits } from '@tideline/shared/activity';
import type { Database } from '@tideline/shared/database';
import { TidelineError } from '@tideline/shared/errors';
import type { FanoutResult } from '@tideline/shared/fanout-results';
import type { Api } from '@tideline/shared/http/api';
import { actingAs, callingUser } from '@tideline/shared/http/authenticate';
import type { Principal } from '@tideline/shared/http/principal';
import type { Request } from 'express';
import { z } from 'zod';
import { type AcceptanceTools, type AcceptedActivity, acceptActivities } from '../activities/accept-activities.js';
import { activityAuthor } from '../activities/activity-author.js';
import { type Deletion, type DeletionTools, deleteActivity } from '../activities/delete-activity.js';
import { addWrite, type WriteTools } from './add-write.js';
import { actorChooser, actorOf, callerOf } from './calling.js';
import { lineStream } from './line-stream.js';
import { applied, appliedHeaders, preferHeaders, resultsInTime, waitPreferenceOf } from './prefer-wait.js';

const activitySizeMaxBytes = 64 * 1024;
const batchSizeMaxBytes = 4 * 1024 * 1024;

// The length comes first: a wrong item is named, and there may be millions of them.
const batchSchema = z.array(z.unknown()).min(1).max(activityLimits.batchMax).pipe(z.array(activityInputSchema));

const acceptedSchema = z
  .strictObject({ id: z.uuid(), timestamp: z.int().meta({ description: 'Unix milliseconds' }) })
  .meta({ id: 'AcceptedActivity' });

const deliveredSchema = acceptedSchema
  .extend({
    fanout: z.strictObject({
      fanoutCount: z.int().meta({ description: 'Followers to whom it was pushed' }),
      strategy: z.enum(['fanout', 'lazy']).meta({
        description: '`lazy`: nobody, because the author has so many that they read it from the author instead',
      }),
    }),
  })
  .meta({ id: 'DeliveredActivity' });

export function addActivityRoutes(api: Api, tools: WriteTools & AcceptanceTools & DeletionTools): void {
  addWrite(
    api,
    tools,
    {
      method: 'post',
      path: '/v1/activities',
      tag: 'Activities',
      summary: 'Post one activity, an array of up to 500, or a stream of any length',
      description:
        'All of an array are taken or none is. A stream is answered line by line; it takes no Idempotency-Key and no preference.',
      scope: 'write',
      body: { schema: activityInputSchema, what: 'activity', sizeMaxBytes: activitySizeMaxBytes },
      stream: lineStream(tools),
      headers: preferHeaders,
      batch: { schema: batchSchema, what: 'array of activities', sizeMaxBytes: batchSizeMaxBytes },
      replies: {
        202: {
          description: 'Durable: whoever may see it will, in milliseconds',
          schema: z.union([acceptedSchema, z.strictObject({ items: z.array(acceptedSchema) })]),
        },
        201: {
          description: 'Delivered within the time that `Prefer: wait` gives',
          schema: z.union([deliveredSchema, z.strictObject({ items: z.array(deliveredSchema) })]),
          headers: appliedHeaders,
        },
      },
      errors: ['outcome_unknown'],
    },
    async ({ principal, body, request }, attempt) => {
      const inputs = (Array.isArray(body) ? body : [body]).map(actorChooser(request, principal));
      const items = await acceptActivities(tools, callerOf(request, principal, attempt), inputs);
      const waitS = waitPreferenceOf(request);
      const results = await resultsInTime(tools.cache, waitS, idsOf(items));
      const answered = results === undefined ? items : items.map((item) => delivered(item, results));
      return {
        status: results === undefined ? 202 : 201,
        headers: results === undefined ? {} : applied(waitS),
        body: Array.isArray(body) ? { items: answered } : answered[0],
      };
    },
  );

  addWrite(
    api,
    tools,
    {
      method: 'delete',
      path: '/v1/activities/{id}',
      tag: 'Activities',
      summary: 'Delete an activity',
      description:
        "A user's own; somebody else's stays as it is. A service key with the scope `admin` that acts as nobody deletes anybody's.",
      scope: 'write',
      params: z.strictObject({ id: activityIdSchema }),
      replies: { 202: { description: 'No read shows it any more', schema: z.strictObject({ id: z.uuid() }) } },
      errors: ['not_found', 'outcome_unknown'],
    },
    async ({ principal, params, request }, attempt) => {
      const deletion = await deletionOf(request, principal, tools.database, params.id);
      await deleteActivity(tools, callerOf(request, principal, attempt), deletion);
      return { status: 202, body: { id: params.id } };
    },
  );
}

function idsOf(items: readonly AcceptedActivity[]): string[] {
  return items.map(({ id }) => id);
}

function delivered(item: AcceptedActivity, results: ReadonlyMap<string, FanoutResult>) {
  const { delivered: fanoutCount = 0, strategy = 'fanout' } = results.get(item.id) ?? {};
  return { ...item, fanout: { fanoutCount, strategy } };
}

/** A user deletes what is theirs. An administrator who acts as nobody deletes whosever it is. */
async function deletionOf(
  request: Request,
  principal: Principal,
  database: Database,
  activityId: string,
): Promise<Deletion> {
  const isAdministrator = principal.kind === 'service' && principal.scopes.has('admin');
  if (!isAdministrator || actingAs(request, principal) !== undefined) {
    const userId = callingUser(request, principal);
    return { activityId, authorId: userId, actorId: userId };
  }
  const authorId = await activityAuthor(database, activityId);
  if (authorId === undefined) {
    throw new TidelineError('not_found', 'There is no such activity.');
  }
  return { activityId, authorId, actorId: actorOf(request, principal) };
}
