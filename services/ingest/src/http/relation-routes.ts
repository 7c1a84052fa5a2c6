import { userIdSchema } from '@tideline/shared/activity';
import { invalidRequest } from '@tideline/shared/errors';
import type { Api } from '@tideline/shared/http/api';
import { callingUser } from '@tideline/shared/http/authenticate';
import { z } from 'zod';
import { changeRelation, type Relation, type RelationTools, type RelationVerb } from '../relations/change-relation.js';
import { addWrite, type WriteTools } from './add-write.js';
import { callerOf } from './calling.js';
import { requireKnown } from './follow-routes.js';
import { appliedHeaders, onceApplied, preferHeaders } from './prefer-wait.js';

const userParams = z.strictObject({ userId: userIdSchema });

interface RelationRoute {
  method: 'put' | 'delete';
  path: string;
  verb: RelationVerb;
  /** What the answer says that holds now. */
  state: 'muted' | 'blocked';
  summary: string;
  description: string;
}

const mutesPath = '/v1/mutes/{userId}';
const blocksPath = '/v1/blocks/{userId}';

const relationRoutes: readonly RelationRoute[] = [
  {
    method: 'put',
    path: mutesPath,
    verb: 'mute',
    state: 'muted',
    summary: 'Mute a user',
    description:
      'Hides all that this user does from the caller: in home feeds, on the page of the user, by id, in lists of followers and in counts. The muted user sees no difference, and follows stay as they are. Muting twice is one mute. A service may mute users that nobody named yet.',
  },
  {
    method: 'delete',
    path: mutesPath,
    verb: 'unmute',
    state: 'muted',
    summary: 'End a mute',
    description: 'What was hidden is back at once, unless a block still hides it.',
  },
  {
    method: 'put',
    path: blocksPath,
    verb: 'block',
    state: 'blocked',
    summary: 'Block a user',
    description:
      'Hides, as a mute does, all that each of the two does from the other. Follows stay as they are: they show nothing for as long as the block lasts. Blocking twice is one block. A service may block users that nobody named yet.',
  },
  {
    method: 'delete',
    path: blocksPath,
    verb: 'unblock',
    state: 'blocked',
    summary: 'End a block',
    description:
      'What was hidden is back at once, for both, unless a mute or a block by the other user still hides it.',
  },
];

export function addRelationRoutes(api: Api, tools: WriteTools & RelationTools): void {
  for (const { verb, state, ...route } of relationRoutes) {
    const begins = route.method === 'put';
    addWrite(
      api,
      tools,
      {
        ...route,
        tag: 'Mutes and blocks',
        scope: 'write',
        params: userParams,
        headers: preferHeaders,
        replies: {
          202: {
            description: 'The next read agrees',
            schema: z.strictObject({ [state]: z.literal(begins) }),
            headers: appliedHeaders,
          },
        },
        errors: begins ? ['not_found', 'outcome_unknown'] : ['outcome_unknown'],
      },
      async ({ principal, params, request }, attempt) => {
        const relation = wantedRelation(callingUser(request, principal), params.userId);
        if (begins) {
          await requireKnown(tools.database, principal, relation.otherId);
        }
        const id = await changeRelation(tools, callerOf(request, principal, attempt), verb, relation);
        return onceApplied(tools.cache, request, [id], { status: 202, body: { [state]: begins } });
      },
    );
  }
}

/** Throws `invalid_request` where the two are one. */
function wantedRelation(userId: string, otherId: string): Relation {
  if (userId === otherId) {
    throw invalidRequest('Nobody can mute or block themselves.');
  }
  return { userId, otherId };
}
