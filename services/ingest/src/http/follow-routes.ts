import { activityLimits, userIdSchema } from '@tideline/shared/activity';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { callingUser, type Principal } from '@tideline/shared/http/authenticate';
import type { Request } from 'express';
import { z } from 'zod';
import type { CorrectionTools } from '../corrections/correct.js';
import { type Follow, type FollowTools, follow, unfollow } from '../follows/change-follows.js';
import { isKnownUser } from '../users/known-user.js';
import { callerOf } from './calling.js';

const batchSizeMaxBytes = 256 * 1024;

const followSchema = z
  .strictObject({ followerId: userIdSchema, followeeId: userIdSchema })
  .refine(({ followerId, followeeId }) => followerId !== followeeId, {
    path: ['followeeId'],
    message: 'must be another user',
  });

const batchSchema = z.array(z.unknown()).min(1).max(activityLimits.followBatchMax).pipe(z.array(followSchema));

const userParams = z.strictObject({ userId: userIdSchema });

export function addFollowRoutes(api: Api, tools: FollowTools & CorrectionTools): void {
  api.add(
    {
      method: 'put',
      path: '/v1/follows/{userId}',
      tag: 'Follows',
      summary: 'Follow a user',
      description: 'Following twice is one follow. A service may follow users that nobody named yet.',
      scope: 'write',
      params: userParams,
      replies: {
        202: { description: 'Takes effect in milliseconds', schema: z.strictObject({ following: z.literal(true) }) },
      },
      errors: ['not_found', 'outcome_unknown'],
    },
    async ({ principal, params, request }) => {
      const wanted = followOf(request, principal, params.userId);
      // A service may name users that do not exist yet: they are made by naming them.
      if (principal.kind === 'user' && !(await isKnownUser(tools.database, wanted.followeeId))) {
        throw new TidelineError('not_found', 'There is no such user.');
      }
      await follow(tools, callerOf(request, principal), [wanted]);
      return { status: 202, body: { following: true } };
    },
  );

  api.add(
    {
      method: 'delete',
      path: '/v1/follows/{userId}',
      tag: 'Follows',
      summary: 'Unfollow a user',
      scope: 'write',
      params: userParams,
      replies: {
        202: { description: 'The next read is without them', schema: z.strictObject({ following: z.literal(false) }) },
      },
      errors: ['outcome_unknown'],
    },
    async ({ principal, params, request }) => {
      await unfollow(tools, callerOf(request, principal), followOf(request, principal, params.userId));
      return { status: 202, body: { following: false } };
    },
  );

  api.add(
    {
      method: 'post',
      path: '/v1/follows',
      tag: 'Follows',
      summary: 'Follows of many users at once, up to 1,000',
      scope: 'write',
      servicesOnly: true,
      body: { schema: batchSchema, what: 'array of follows', sizeMaxBytes: batchSizeMaxBytes },
      replies: { 202: { description: 'Take effect in milliseconds', schema: z.strictObject({ accepted: z.int() }) } },
      errors: ['outcome_unknown'],
    },
    async ({ principal, body, request }) => {
      await follow(tools, callerOf(request, principal), body);
      return { status: 202, body: { accepted: body.length } };
    },
  );
}

function followOf(request: Request, principal: Principal, followeeId: string): Follow {
  const followerId = callingUser(request, principal);
  if (followerId === followeeId) {
    throw invalidRequest('Nobody can follow themselves.');
  }
  return { followerId, followeeId };
}
