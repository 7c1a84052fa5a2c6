import { activityInputSchema, activityLimits } from '@tideline/shared/activity';
import { isActivityId } from '@tideline/shared/activity-id';
import type { Database } from '@tideline/shared/database';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import { actingAs, callingUser, type Principal, principalOf } from '@tideline/shared/http/authenticate';
import { jsonBody } from '@tideline/shared/http/json-body';
import { validate } from '@tideline/shared/http/validate';
import type { Request, Router } from 'express';
import { z } from 'zod';
import { type AcceptanceTools, type ActedInput, acceptActivities } from '../activities/accept-activities.js';
import { activityAuthor } from '../activities/activity-author.js';
import { type Deletion, type DeletionTools, deleteActivity } from '../activities/delete-activity.js';
import { actorOf, callerOf } from './calling.js';
import { forWriters } from './route-checks.js';

const activitySizeMaxBytes = 64 * 1024;
const batchSizeMaxBytes = 4 * 1024 * 1024;

// The length comes first: a wrong item is named, and there may be millions of them.
const batchSchema = z.array(z.unknown()).min(1).max(activityLimits.batchMax).pipe(z.array(activityInputSchema));

const activityIdSchema = z.string().refine(isActivityId, 'is not an activity id');

export function addActivityRoutes(router: Router, tools: AcceptanceTools & DeletionTools): void {
  router.post(
    '/v1/activities',
    ...forWriters,
    ...jsonBody(activitySizeMaxBytes, batchSizeMaxBytes),
    async (request, response) => {
      const principal = principalOf(request);
      const caller = callerOf(request, principal);
      const body: unknown = request.body;
      if (Array.isArray(body)) {
        const inputs = validate(batchSchema, body, 'array of activities');
        const items = await acceptActivities(tools, caller, withActors(request, principal, inputs));
        response.status(202).json({ items });
      } else {
        const input = validate(activityInputSchema, body, 'activity');
        const [item] = await acceptActivities(tools, caller, withActors(request, principal, [input]));
        response.status(202).json(item);
      }
    },
  );

  router.delete('/v1/activities/:id', ...forWriters, async (request, response) => {
    const principal = principalOf(request);
    const activityId = validate(activityIdSchema, request.params['id'], 'activity id');
    const deletion = await deletionOf(request, principal, tools.database, activityId);
    await deleteActivity(tools, callerOf(request, principal), deletion);
    response.status(202).json({ id: activityId });
  });
}

/** `actorId` defaults to the caller; only a service may name somebody else. */
function withActors(
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
