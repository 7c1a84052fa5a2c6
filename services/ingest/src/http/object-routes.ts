import { referenceSchema, textSchema, typeSchema, userIdSchema } from '@tideline/shared/activity';
import type { Api } from '@tideline/shared/http/api';
import { actingAs } from '@tideline/shared/http/authenticate';
import { z } from 'zod';
import { describeObject, type ObjectTools } from '../objects/describe-object.js';
import { addWrite, type WriteTools } from './add-write.js';
import { actorOf, callerOf } from './calling.js';
import { appliedHeaders, onceApplied, preferHeaders } from './prefer-wait.js';

const objectSizeMaxBytes = 64 * 1024;
const urlLengthMax = 2_048;

const objectSchema = z.strictObject({
  title: textSchema.min(1),
  ownerId: userIdSchema.optional(),
  url: z
    .url({ protocol: /^https?$/ })
    .max(urlLengthMax)
    .optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

const describedSchema = z.strictObject({
  type: z.string(),
  id: z.string(),
  title: z.string(),
  ownerId: userIdSchema.nullable(),
});

export function addObjectRoutes(api: Api, tools: WriteTools & ObjectTools): void {
  addWrite(
    api,
    tools,
    {
      method: 'put',
      path: '/v1/objects/{type}/{id}',
      tag: 'Users and objects',
      summary: 'Describe an object',
      description:
        'Its owner or a service; a new object belongs to `ownerId`, else to the caller. Feeds show the new title within seconds, on old items too, and who likes, shares or comments on it notifies its owner.',
      scope: 'write',
      params: z.strictObject({ type: typeSchema, id: referenceSchema }),
      headers: preferHeaders,
      body: { schema: objectSchema, what: 'object', sizeMaxBytes: objectSizeMaxBytes },
      replies: {
        202: { description: 'The object can be referred to', schema: describedSchema, headers: appliedHeaders },
      },
      errors: ['outcome_unknown'],
    },
    async ({ principal, params, body, request }, attempt) => {
      const describer = {
        actorId: actorOf(request, principal),
        userId: actingAs(request, principal) ?? (principal.kind === 'user' ? principal.userId : undefined),
        isService: principal.kind === 'service',
      };
      const described = { ...params, ...body };
      const caller = callerOf(request, principal, attempt);
      const { recordId, ownerId } = await describeObject(tools, caller, describer, described);
      const reply = { status: 202, body: { ...params, title: body.title, ownerId } };
      return onceApplied(tools.cache, request, [recordId], reply);
    },
  );
}
