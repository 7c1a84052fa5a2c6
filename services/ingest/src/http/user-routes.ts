import { userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import { principalOf } from '@tideline/shared/http/authenticate';
import { jsonBody } from '@tideline/shared/http/json-body';
import { validate } from '@tideline/shared/http/validate';
import type { Router } from 'express';
import { z } from 'zod';
import { describeUser, type UserTools } from '../users/describe-user.js';
import { actorOf, callerOf } from './calling.js';
import { forWriters } from './route-checks.js';

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

export function addUserRoutes(router: Router, tools: UserTools): void {
  router.put('/v1/users/:id', ...forWriters, ...jsonBody(userSizeMaxBytes), async (request, response) => {
    const principal = principalOf(request);
    const userId = validate(userIdSchema, request.params['id'], 'user id');
    if (principal.kind === 'user' && principal.userId !== userId) {
      throw new TidelineError('forbidden', 'A user key describes its own user only.');
    }
    const { name, avatar = null } = validate(userSchema, request.body, 'user');
    await describeUser(tools, callerOf(request, principal), actorOf(request, principal), { userId, name, avatar });
    response.status(202).json({ id: userId, name, avatar });
  });
}
