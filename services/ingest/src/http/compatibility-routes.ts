import { contentVerbSchema, referenceSchema, textSchema, userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { Api, Call, Reply } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import type { FoundObject } from '@tideline/shared/objects';
import { z } from 'zod';
import { type AcceptanceTools, acceptActivities } from '../activities/accept-activities.js';
import type { Attempt, Caller } from '../caller.js';
import type { CorrectionTools } from '../corrections/correct.js';
import { waitForFanout } from '../fanout/wait-for-fanout.js';
import { type Follow, type FollowTools, follow, unfollow } from '../follows/change-follows.js';
import type { ObjectTools } from '../objects/describe-object.js';
import { publishPost } from '../posts/publish-post.js';
import { userByName } from '../users/user-by-name.js';
import { addWrite, type WriteTools } from './add-write.js';
import { callerOf } from './calling.js';
import { requireKnown, wantedFollow } from './follow-routes.js';

/**
 * Routes of systems that Tideline stands in for. Their clients read right after they write and do not expect to wait, so
 * a 200 is given once fanout is done, or after two seconds: by then the write is durable all the same.
 */
const fanoutWaitMs = 2_000;
const bodySizeMaxBytes = 64 * 1024;
const tag = 'Compatibility';

export type CompatibilityTools = WriteTools &
  AcceptanceTools &
  ObjectTools &
  FollowTools &
  CorrectionTools & {
    /** The object of this id, or undefined. Throws `unavailable`. */
    findObject(id: string): Promise<FoundObject | undefined>;
  };

export function addCompatibilityRoutes(api: Api, tools: CompatibilityTools): void {
  addPost(api, tools);
  addActivity(api, tools);
  addFollowsByName(api, tools);
  addFollowsById(api, tools);
}

const postSchema = z.strictObject({ type: z.enum(['post', 'photo']), content: textSchema.min(1) });

function addPost(api: Api, tools: CompatibilityTools): void {
  addWrite(
    api,
    tools,
    {
      method: 'post',
      path: '/post',
      tag,
      summary: 'Publish a post or a photo',
      scope: 'write',
      body: { schema: postSchema, what: 'post', sizeMaxBytes: bodySizeMaxBytes },
      replies: {
        200: {
          description: 'It can be referred to by `object_id`',
          schema: z.strictObject({ type: postSchema.shape.type, object_id: z.uuid(), message: z.string() }),
        },
      },
      errors: ['outcome_unknown'],
    },
    async ({ principal, body, request }, attempt) => {
      const post = { authorId: callingUser(request, principal), ...body };
      const { id, objectId } = await publishPost(tools, callerOf(request, principal, attempt), post);
      await waitForFanout(tools.cache, [id], fanoutWaitMs);
      const { type } = body;
      return { status: 200, body: { type, object_id: objectId, message: `The ${type} is published.` } };
    },
  );
}

const activitySchema = z.strictObject({ verb: contentVerbSchema, object_id: referenceSchema });

function addActivity(api: Api, tools: CompatibilityTools): void {
  addWrite(
    api,
    tools,
    {
      method: 'post',
      path: '/activity',
      tag,
      summary: 'Do something to an object: like, share, any verb',
      description: 'The object must exist. Where objects of several types have this id, the first one is meant.',
      scope: 'write',
      body: { schema: activitySchema, what: 'activity', sizeMaxBytes: bodySizeMaxBytes },
      replies: {
        200: { description: 'Done', schema: z.strictObject({ verb: z.string(), message: z.string() }) },
      },
      errors: ['not_found', 'outcome_unknown'],
    },
    async ({ principal, body, request }, attempt) => {
      const actorId = callingUser(request, principal);
      const object = await tools.findObject(body.object_id);
      if (object === undefined) {
        throw new TidelineError('not_found', 'There is no such object.');
      }
      const input = {
        actorId,
        verb: body.verb,
        objectType: object.type,
        objectId: object.id,
        ...(object.title === null ? {} : { objectTitle: object.title }),
      };
      const accepted = await acceptActivities(tools, callerOf(request, principal, attempt), [input]);
      const ids = accepted.map(({ id }) => id);
      await waitForFanout(tools.cache, ids, fanoutWaitMs);
      return { status: 200, body: { verb: body.verb, message: `Done: ${body.verb} ${object.type}.` } };
    },
  );
}

const nameSchema = z.string().min(1).max(128).meta({ description: "A user's name" });
const followByNameSchema = z.strictObject({ follow: nameSchema });
const unfollowByNameSchema = z.strictObject({ unfollow: nameSchema });

function addFollowsByName(api: Api, tools: CompatibilityTools): void {
  const definition = {
    method: 'post',
    tag,
    scope: 'write',
    replies: {
      200: {
        description: 'Home feeds show it',
        schema: z.strictObject({ verb: z.enum(['follow', 'unfollow']), message: z.string() }),
      },
    },
    errors: ['not_found', 'outcome_unknown'],
  } as const;
  addWrite(
    api,
    tools,
    {
      ...definition,
      path: '/follow',
      summary: 'Follow or unfollow a user by name',
      body: {
        schema: z.union([followByNameSchema, unfollowByNameSchema]),
        what: 'follow',
        sizeMaxBytes: bodySizeMaxBytes,
      },
    },
    (call, attempt) =>
      'follow' in call.body
        ? changeFollowByName(tools, call, attempt, 'follow', call.body.follow)
        : changeFollowByName(tools, call, attempt, 'unfollow', call.body.unfollow),
  );
  addWrite(
    api,
    tools,
    {
      ...definition,
      path: '/unfollow',
      summary: 'Unfollow a user by name',
      body: { schema: unfollowByNameSchema, what: 'unfollow', sizeMaxBytes: bodySizeMaxBytes },
    },
    (call, attempt) => changeFollowByName(tools, call, attempt, 'unfollow', call.body.unfollow),
  );
}

type FollowVerb = 'follow' | 'unfollow';

async function changeFollowByName(
  tools: CompatibilityTools,
  { principal, request }: Call,
  attempt: Attempt,
  verb: FollowVerb,
  name: string,
): Promise<Reply> {
  const follower = callingUser(request, principal);
  const change = wantedFollow(follower, await userByName(tools.database, name));
  await changeFollow(tools, callerOf(request, principal, attempt), verb, change);
  return { status: 200, body: { verb, message: `Done: ${verb} ${name}.` } };
}

function addFollowsById(api: Api, tools: CompatibilityTools): void {
  for (const [method, verb, summary] of [
    ['post', 'follow', 'Follow a user: their recent activities are in the home feed at once'],
    ['delete', 'unfollow', 'Unfollow a user: their activities leave the home feed at once'],
  ] as const) {
    const following = verb === 'follow';
    addWrite(
      api,
      tools,
      {
        method,
        path: '/follow/{userId}',
        tag,
        summary,
        scope: 'write',
        params: z.strictObject({ userId: userIdSchema }),
        replies: {
          200: { description: 'Home feeds show it', schema: z.strictObject({ following: z.literal(following) }) },
        },
        errors: ['not_found', 'outcome_unknown'],
      },
      async ({ principal, params, request }, attempt) => {
        const change = wantedFollow(callingUser(request, principal), params.userId);
        if (following) {
          await requireKnown(tools.database, principal, change.followeeId);
        }
        await changeFollow(tools, callerOf(request, principal, attempt), verb, change);
        return { status: 200, body: { following } };
      },
    );
  }
}

async function changeFollow(
  tools: CompatibilityTools,
  caller: Caller,
  verb: FollowVerb,
  change: Follow,
): Promise<void> {
  const awaited: Caller = { ...caller, awaited: true };
  const ids = verb === 'follow' ? await follow(tools, awaited, [change]) : [await unfollow(tools, awaited, change)];
  await waitForFanout(tools.cache, ids, fanoutWaitMs);
}
