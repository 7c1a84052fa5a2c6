import { activityIdSchema, activityInputSchema, activityLimits } from '@tideline/shared/activity';
import type { Database } from '@tideline/shared/database';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import type { FanoutResult } from '@tideline/shared/fanout-results';
import type { Api } from '@tideline/shared/http/api';
import { actingAs, callingUser, type Principal } from '@tideline/shared/http/authenticate';
import type { Request } from 'express';
import { z } from 'zod';
import {
  type AcceptanceTools,
  type AcceptedActivity,
  type ActedInput,
  acceptActivities,
} from '../activities/accept-activities.js';
import { activityAuthor } from '../activities/activity-author.js';
import { type Deletion, type DeletionTools, deleteActivity } from '../activities/delete-activity.js';
import { addWrite, type WriteTools } from './add-write.js';
import { actorOf, callerOf } from './calling.js';
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
      summary: 'Post one activity, or an array of up to 500',
      description: 'All of an array are taken or none is.',
      scope: 'write',
      body: { schema: activityInputSchema, what: 'activity', sizeMaxBytes: activitySizeMaxBytes },
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
      const inputs = Array.isArray(body) ? body : [body];
      const items = await acceptActivities(
        tools,
        callerOf(request, principal, attempt),
        withActors(request, principal, inputs),
      );
      const reply = (status: number, of: readonly object[]) => ({
        status,
        body: Array.isArray(body) ? { items: of } : of[0],
      });
      const waitS = waitPreferenceOf(request);
      const results = await resultsInTime(
        tools.cache,
        waitS,
        items.map(({ id }) => id),
      );
      return results === undefined
        ? reply(202, items)
        : {
            ...reply(
              201,
              items.map((item) => delivered(item, results)),
            ),
            headers: applied(waitS),
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

function delivered(item: AcceptedActivity, results: ReadonlyMap<string, FanoutResult>) {
  const { delivered: fanoutCount = 0, strategy = 'fanout' } = results.get(item.id) ?? {};
  return { ...item, fanout: { fanoutCount, strategy } };
}

/** `actorId` defaults to the caller; only a service may name somebody else. */
export function withActors(
  request: Request,
  principal: Principal,
  inputs: readonly z.output<typeof activityInputSchema>[],
): ActedInput[] {
  const caller = actingAs(request, principal) ?? (principal.kind === 'user' ? principal.userId : undefined);
  return inputs.map((input) => {
    const actorId = input.actorId ?? caller;
    if (actorId === undefined) {
      throw invalidRequest('A service key needs actorId or X-Act-As, to say whose activity it is.');
    }
    if (principal.kind === 'user' && actorId !== principal.userId) {
      throw new TidelineError('forbidden', 'A user key posts activities of its own user only.');
    }
    return { ...input, actorId };
  });
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
