import type { ActivityInput } from '@tideline/shared/activity';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import { actingAs } from '@tideline/shared/http/authenticate';
import type { Principal } from '@tideline/shared/http/principal';
import { requestIdOf } from '@tideline/shared/http/request-log';
import type { Request } from 'express';
import type { ActedInput } from '../activities/accept-activities.js';
import type { Attempt, Caller } from '../caller.js';
import { waitPreferenceOf } from './prefer-wait.js';

const traceparentPattern = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

export function callerOf(request: Request, principal: Principal, attempt: Attempt): Caller {
  const traceparent = request.headers['traceparent'];
  return {
    ...attempt,
    callerId: principal.kind === 'user' ? principal.userId : principal.name,
    requestId: requestIdOf(request),
    ...(waitPreferenceOf(request) === undefined ? {} : { awaited: true }),
    ...(typeof traceparent === 'string' && traceparentPattern.test(traceparent) ? { traceparent } : {}),
  };
}

/** Says whose an activity is: `actorId` defaults to the caller, and only a service may name somebody else. */
export function actorChooser(request: Request, principal: Principal): (input: ActivityInput) => ActedInput {
  const caller = actingAs(request, principal) ?? (principal.kind === 'user' ? principal.userId : undefined);
  return (input) => {
    const actorId = input.actorId ?? caller;
    if (actorId === undefined) {
      throw invalidRequest('A service key needs actorId or X-Act-As, to say whose activity it is.');
    }
    if (principal.kind === 'user' && actorId !== principal.userId) {
      throw new TidelineError('forbidden', 'A user key posts activities of its own user only.');
    }
    return { ...input, actorId };
  };
}

/** Who acts, where the request need not say it: X-Act-As, the key's own user, else the service under its name. */
export function actorOf(request: Request, principal: Principal): string {
  const user = actingAs(request, principal);
  if (user !== undefined) {
    return user;
  }
  // Names of services are free text; on the log an actor is a user id.
  return principal.kind === 'user' ? principal.userId : principal.name.replace(/[^A-Za-z0-9_.:-]/g, '-').slice(0, 64);
}
