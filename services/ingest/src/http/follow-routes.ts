import { activityLimits, userIdSchema } from '@tideline/shared/activity';
import type { Database } from '@tideline/shared/database';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import type { Principal } from '@tideline/shared/http/principal';
import { z } from 'zod';
import type { CorrectionTools } from '../corrections/correct.js';
import { type Follow, type FollowTools, follow, unfollow } from '../follows/change-follows.js';
import { isKnownUser } from '../users/known-user.js';
import { addWrite, type WriteTools } from './add-write.js';
import { callerOf } from './calling.js';
import { appliedHeaders, onceApplied, preferHeaders } from './prefer-wait.js';

const batchSizeMaxBytes = 256 * 1024;

const followSchema = z
  .strictObject({ followerId: userIdSchema, followeeId: userIdSchema })
  .refine(({ followerId, followeeId }) => followerId !== followeeId, {
    path: ['followeeId'],
    message: 'must be another user',
  });

const batchSchema = z.array(z.unknown()).min(1).max(activityLimits.followBatchMax).pipe(z.array(followSchema));

const userParams = z.strictObject({ userId: userIdSchema });

export function addFollowRoutes(api: Api, tools: WriteTools & FollowTools & CorrectionTools): void {
  addWrite(
    api,
    tools,
    {
      method: 'put',
      path: '/v1/follows/{userId}',
      tag: 'Follows',
      summary: 'Follow a user',
      description: 'Following twice is one follow. A service may follow users that nobody named yet.',
      scope: 'write',
      params: userParams,
      headers: preferHeaders,
      replies: {
        202: {
          description: 'Takes effect in milliseconds; with `Prefer: wait`, it has',
          schema: z.strictObject({ following: z.literal(true) }),
          headers: appliedHeaders,
        },
      },
      errors: ['not_found', 'outcome_unknown'],
    },
    async ({ principal, params, request }, attempt) => {
      const wanted = wantedFollow(callingUser(request, principal), params.userId);
      await requireKnown(tools.database, principal, wanted.followeeId);
      const ids = await follow(tools, callerOf(request, principal, attempt), [wanted]);
      return onceApplied(tools.cache, request, ids, { status: 202, body: { following: true } });
    },
  );

  addWrite(
    api,
    tools,
    {
      method: 'delete',
      path: '/v1/follows/{userId}',
      tag: 'Follows',
      summary: 'Unfollow a user',
      scope: 'write',
      params: userParams,
      headers: preferHeaders,
      replies: {
        202: {
          description: 'The next read is without them',
          schema: z.strictObject({ following: z.literal(false) }),
          headers: appliedHeaders,
        },
      },
      errors: ['outcome_unknown'],
    },
    async ({ principal, params, request }, attempt) => {
      const id = await unfollow(
        tools,
        callerOf(request, principal, attempt),
        wantedFollow(callingUser(request, principal), params.userId),
      );
      return onceApplied(tools.cache, request, [id], { status: 202, body: { following: false } });
    },
  );

  addWrite(
    api,
    tools,
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
    async ({ principal, body, request }, attempt) => {
      await follow(tools, callerOf(request, principal, attempt), body);
      return { status: 202, body: { accepted: body.length } };
    },
  );
}

/** Throws `invalid_request` where the two are one. */
export function wantedFollow(followerId: string, followeeId: string): Follow {
  if (followerId === followeeId) {
    throw invalidRequest('Nobody can follow themselves.');
  }
  return { followerId, followeeId };
}

/** A service may name users that do not exist yet: they are made by naming them. Anybody else gets `not_found`. */
export async function requireKnown(database: Database, principal: Principal, userId: string): Promise<void> {
  if (principal.kind === 'user' && !(await isKnownUser(database, userId))) {
    throw new TidelineError('not_found', 'There is no such user.');
  }
}
