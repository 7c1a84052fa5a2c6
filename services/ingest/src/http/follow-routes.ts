import { activityLimits, userIdSchema } from '@tideline/shared/activity';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import { callingUser, principalOf } from '@tideline/shared/http/authenticate';
import { jsonBody } from '@tideline/shared/http/json-body';
import { validate } from '@tideline/shared/http/validate';
import type { Request, Router } from 'express';
import { z } from 'zod';
import type { CorrectionTools } from '../corrections/correct.js';
import { type Follow, type FollowTools, follow, unfollow } from '../follows/change-follows.js';
import { isKnownUser } from '../users/known-user.js';
import { callerOf } from './calling.js';
import { forServices, forWriters } from './route-checks.js';

const batchSizeMaxBytes = 256 * 1024;

const followSchema = z
  .strictObject({ followerId: userIdSchema, followeeId: userIdSchema })
  .refine(({ followerId, followeeId }) => followerId !== followeeId, {
    path: ['followeeId'],
    message: 'must be another user',
  });

const batchSchema = z.array(z.unknown()).min(1).max(activityLimits.followBatchMax).pipe(z.array(followSchema));

export function addFollowRoutes(router: Router, tools: FollowTools & CorrectionTools): void {
  router.put('/v1/follows/:userId', ...forWriters, async (request, response) => {
    const principal = principalOf(request);
    const wanted = followOf(request);
    // A service may name users that do not exist yet: they are made by naming them.
    if (principal.kind === 'user' && !(await isKnownUser(tools.database, wanted.followeeId))) {
      throw new TidelineError('not_found', 'There is no such user.');
    }
    await follow(tools, callerOf(request, principal), [wanted]);
    response.status(202).json({ following: true });
  });

  router.delete('/v1/follows/:userId', ...forWriters, async (request, response) => {
    await unfollow(tools, callerOf(request, principalOf(request)), followOf(request));
    response.status(202).json({ following: false });
  });

  router.post('/v1/follows', ...forServices, ...jsonBody(batchSizeMaxBytes), async (request, response) => {
    const follows = validate(batchSchema, request.body, 'array of follows');
    await follow(tools, callerOf(request, principalOf(request)), follows);
    response.status(202).json({ accepted: follows.length });
  });
}

function followOf(request: Request): Follow {
  const followeeId = validate(userIdSchema, request.params['userId'], 'user id');
  const followerId = callingUser(request, principalOf(request));
  if (followerId === followeeId) {
    throw invalidRequest('Nobody can follow themselves.');
  }
  return { followerId, followeeId };
}
