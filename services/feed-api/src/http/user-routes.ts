import { userIdSchema } from '@tideline/shared/activity';
import type { Api } from '@tideline/shared/http/api';
import { z } from 'zod';
import type { FeedTools } from '../feed/feed-tools.js';
import { readFollows, readUser } from '../feed/read-users.js';
import { pageQuery } from './feed-query.js';
import { pageReply, pageSchema } from './page-reply.js';
import type { PublicLinks } from './public-links.js';
import { readerOf } from './reading.js';

const params = z.strictObject({ id: userIdSchema });

const listedUserSchema = z
  .strictObject({ id: userIdSchema, name: z.string(), avatar: z.string().nullable() })
  .meta({ id: 'ListedUser' });

const millisecondsSchema = z.int().meta({ description: 'Unix milliseconds' });

const profileSchema = listedUserSchema
  .extend({
    createdAt: millisecondsSchema,
    updatedAt: millisecondsSchema,
    followers: z.int(),
    following: z.int(),
  })
  .meta({ id: 'Profile' });

const userPageSchema = pageSchema(listedUserSchema, 'UserPage');

export function addUserRoutes(api: Api, tools: FeedTools, links: PublicLinks): void {
  api.add(
    {
      method: 'get',
      path: '/v1/users/{id}',
      tag: 'Users',
      summary: 'A user',
      description:
        'For everybody, also where a mute or a block hides what the user does: whoever wants to end it has to find it. Users that are muted by the caller, or blocked either way, are not counted.',
      scope: 'read',
      params,
      replies: { 200: { description: 'The profile', schema: profileSchema } },
      errors: ['not_found'],
    },
    async ({ principal, params: { id }, request }) => ({
      status: 200,
      body: await readUser(tools, id, readerOf(request, principal)),
    }),
  );

  for (const [side, summary] of [
    ['followers', 'Who follows a user'],
    ['following', 'Whom a user follows'],
  ] as const) {
    api.add(
      {
        method: 'get',
        path: `/v1/users/{id}/${side}`,
        tag: 'Users',
        summary,
        description: 'Without users that are muted by the caller, or blocked either way.',
        scope: 'read',
        params,
        query: pageQuery,
        replies: { 200: { description: 'A page, in order of the ids', schema: userPageSchema } },
        errors: ['invalid_cursor', 'not_found'],
      },
      async ({ principal, params: { id }, query, request }) =>
        pageReply(request, links, await readFollows(tools, side, id, readerOf(request, principal), query)),
    );
  }
}
