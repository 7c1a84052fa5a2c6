import { seededIdMinter } from '@tideline/shared/activity-id';
import type { Cache } from '@tideline/shared/cache';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';
import type { Api, Call, Handler, OperationDefinition, Reply, ReplyDefinition } from '@tideline/shared/http/api';
import { statusOf } from '@tideline/shared/http/error-response';
import type { Principal } from '@tideline/shared/http/principal';
import type { Logger } from '@tideline/shared/logger';
import { z } from 'zod';
import type { Attempt } from '../caller.js';
import { fingerprintOf } from '../idempotency/fingerprint.js';
import { finish, type Reservation, release, reserve } from '../idempotency/reservations.js';

export interface WriteTools {
  cache: Cache;
  /** Gives a new id for a timestamp in Unix milliseconds. */
  mintId(timestamp: number): string;
  logger: Logger;
}

/** Handles one try of a write; whatever it stamps with a time or an id has both from `attempt`. */
export type WriteHandler<Params, Query, Body> = (call: Call<Params, Query, Body>, attempt: Attempt) => Promise<Reply>;

const keyHeader = 'Idempotency-Key';
const replayedHeader = 'Idempotency-Replayed';
const keyPattern = /^[!-~]{1,255}$/;

const writeHeaders = z.object({
  [keyHeader]: z.string().regex(keyPattern).optional().meta({
    description:
      'Names this write for 24 hours, among those of the same caller: a repetition is answered as the first time, and after an unknown outcome repeats the very same ids. 1 to 255 visible ASCII characters.',
  }),
});

/**
 * Adds a route that writes: `api.add`, with an `Idempotency-Key` that it honours and documents (I4). Without one every
 * call is a write of its own. Errors by it: 400 for a malformed key, 409 `conflict` while the first request is in
 * flight, 422 `idempotency_mismatch`, 503 where Redis, which keeps keys, is away.
 */
export function addWrite<
  Params extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
  Batch extends z.ZodType = z.ZodNever,
>(
  api: Api,
  tools: WriteTools,
  definition: OperationDefinition<Params, Query, Body, Batch>,
  handler: WriteHandler<z.output<Params>, z.output<Query>, z.output<Body> | z.output<Batch>>,
): void {
  const { headers, errors = [], replies } = definition;
  api.add(
    {
      ...definition,
      headers: z.object({ ...writeHeaders.shape, ...headers?.shape }),
      errors: [...errors, 'conflict', 'idempotency_mismatch'],
      replies: Object.fromEntries(Object.entries(replies).map(([status, reply]) => [status, replayable(reply)])),
    },
    idempotently(tools, handler),
  );
}

function replayable(reply: ReplyDefinition): ReplyDefinition {
  const says = '`true` where the answer is that of an earlier request with the same Idempotency-Key.';
  return { ...reply, headers: { ...reply.headers, [replayedHeader]: says } };
}

function idempotently<Params, Query, Body>(
  tools: WriteTools,
  handler: WriteHandler<Params, Query, Body>,
): Handler<Params, Query, Body> {
  return async (call) => {
    const { request, principal } = call;
    const idempotencyKey = request.headers['idempotency-key'];
    if (idempotencyKey === undefined) {
      return handler(call, { acceptedAt: Date.now(), mintId: tools.mintId });
    }
    if (typeof idempotencyKey !== 'string' || !keyPattern.test(idempotencyKey)) {
      throw invalidRequest(`${keyHeader} must be 1 to 255 visible ASCII characters.`);
    }
    const { method, originalUrl: url, body } = request as { method: string; originalUrl: string; body: unknown };
    const fingerprint = fingerprintOf({ method, url, actAs: request.get('x-act-as'), body });
    const reserved = await reserve(tools.cache, { ...ownerOf(principal), idempotencyKey }, fingerprint);
    if ('status' in reserved) {
      return { ...reserved, headers: { ...reserved.headers, [replayedHeader]: 'true' } };
    }
    const { acceptedAt, seed } = reserved;
    return settled(tools, reserved, () => handler(call, { acceptedAt, mintId: seededIdMinter(seed) }));
  };
}

function ownerOf(principal: Principal) {
  const callerName = principal.kind === 'user' ? principal.userId : principal.name;
  return { callerKind: principal.kind, callerName };
}

/** Does the write, and says under its key what became of it. */
async function settled(tools: WriteTools, reservation: Reservation, write: () => Promise<Reply>): Promise<Reply> {
  const { cache, logger } = tools;
  // Where this cannot be said the lease runs out by itself, and the next try repeats the same ids: nothing is doubled.
  const unsaid = (error: unknown) => logger.warn({ err: error }, 'what became of an idempotency key was not kept');
  try {
    const reply = await write();
    await finish(cache, reservation, reply).catch(unsaid);
    return reply;
  } catch (error) {
    const what = reservation.isFirst && isRefusal(error) ? 'forget' : 'keep';
    await release(cache, reservation, what).catch(unsaid);
    throw error;
  }
}

/** The request was wrong, and nothing was done: the key is free for a better one. */
function isRefusal(error: unknown): boolean {
  return error instanceof TidelineError && statusOf(error.code) < 500;
}
