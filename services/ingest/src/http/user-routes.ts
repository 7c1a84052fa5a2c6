import { userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { z } from 'zod';
import { describeUser, type UserTools } from '../users/describe-user.js';
import { addWrite, type WriteTools } from './add-write.js';
import { actorOf, callerOf } from './calling.js';
import { appliedHeaders, onceApplied, preferHeaders } from './prefer-wait.js';

const userSizeMaxBytes = 64 * 1024;
const nameLengthMax = 128;
const avatarLengthMax = 1_024;

const userSchema = z.strictObject({
  name: z.string().min(1).max(nameLengthMax),
  avatar: z
    .url({ protocol: /^https?$/ })
    .max(avatarLengthMax)
    .optional(),
});

export function addUserRoutes(api: Api, tools: WriteTools & UserTools): void {
  addWrite(
    api,
    tools,
    {
      method: 'put',
      path: '/v1/users/{id}',
      tag: 'Users and objects',
      summary: 'Name a user',
      description: 'Oneself, or as a service anybody. Feeds show the new name within seconds, on old items too.',
      scope: 'write',
      params: z.strictObject({ id: userIdSchema }),
      headers: preferHeaders,
      body: { schema: userSchema, what: 'user', sizeMaxBytes: userSizeMaxBytes },
      replies: {
        202: {
          description: 'The user can be referred to',
          schema: z.strictObject({ id: userIdSchema, name: z.string(), avatar: z.string().nullable() }),
          headers: appliedHeaders,
        },
      },
      errors: ['outcome_unknown'],
    },
    async ({ principal, params, body, request }, attempt) => {
      if (principal.kind === 'user' && principal.userId !== params.id) {
        throw new TidelineError('forbidden', 'A user key describes its own user only.');
      }
      const { name, avatar = null } = body;
      const described = { userId: params.id, name, avatar };
      const recordId = await describeUser(
        tools,
        callerOf(request, principal, attempt),
        actorOf(request, principal),
        described,
      );
      return onceApplied(tools.cache, request, [recordId], { status: 202, body: { id: params.id, name, avatar } });
    },
  );
}
