import { userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { callingUser, credentialOf } from '@tideline/shared/http/authenticate';
import { requestIdOf } from '@tideline/shared/http/request-log';
import { z } from 'zod';
import type { FeedTools } from '../feed/feed-tools.js';
import { nameOwnUser, readOwnUser } from '../storage/own-user.js';
import { SqlScope } from '../storage/sql-scope.js';

const timeSchema = z.iso.datetime({ precision: 3 });

const meSchema = z
  .strictObject({
    id: userIdSchema,
    name: z.string(),
    auth_token: z.string().meta({ description: 'What this request was authenticated with' }),
    follow_ids: z.array(userIdSchema).meta({ description: 'Whom the user follows' }),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'Me' });

export function addMeRoutes(api: Api, tools: FeedTools): void {
  api.add(
    {
      method: 'get',
      path: '/me',
      tag: 'Compatibility',
      summary: 'Who the caller is',
      scope: 'read',
      replies: { 200: { description: 'The user', schema: meSchema } },
      errors: ['not_found'],
    },
    async ({ principal, request }) => {
      const userId = callingUser(request, principal);
      const sql = new SqlScope(tools);
      // Whoever has a credential of its own exists, also before it did anything; what a service names may not.
      const user =
        (await readOwnUser(sql, userId)) ??
        (principal.kind === 'user' ? await nameOwnUser(sql, userId, requestIdOf(request)) : undefined);
      if (user === undefined) {
        throw new TidelineError('not_found', 'There is no such user.');
      }
      const body = {
        id: userId,
        name: user.name,
        auth_token: credentialOf(request),
        follow_ids: user.followIds,
        created_at: user.createdAt.toISOString(),
        updated_at: user.updatedAt.toISOString(),
      };
      return { status: 200, headers: { 'Cache-Control': 'no-store' }, body };
    },
  );
}
