import { once } from 'node:events';
import { PassThrough, type Transform } from 'node:stream';
import { invalidRequest } from '@tideline/shared/errors';
import type { StreamDefinition } from '@tideline/shared/http/api';
import { requireContentType } from '@tideline/shared/http/json-body';
import type { Principal } from '@tideline/shared/http/principal';
import { decoderOf } from '@tideline/shared/http/read-body';
import { requireSteadyBody } from '@tideline/shared/http/slow-senders';
import type { Request, RequestHandler, Response } from 'express';
import type { AcceptanceTools } from '../activities/accept-activities.js';
import { acceptLines, answerText } from '../ndjson/accept-lines.js';
import { answerLines, lineLimits } from '../ndjson/answer-lines.js';
import { actorChooser, callerOf } from './calling.js';

const contentType = 'application/x-ndjson';
/** What arrives after the last answer is thrown away for so long: a connection broken at once may lose the answer. */
const closeGraceMs = 2_000;

export type LineTools = AcceptanceTools & { mintId(timestamp: number): string };

/** Activities one a line, for as long as the sender likes, each answered as soon as it is taken. */
export function lineStream(tools: LineTools): StreamDefinition {
  return {
    contentType,
    description:
      'One activity a line, at most 64 KiB each, as many as you like; blank lines are skipped. Read the answers while you send: who does not is not read from either.',
    reply: {
      status: 200,
      description:
        'One line for each line, in order and as soon as it is durable: `{"line":1,"id":…,"timestamp":…}` or `{"line":2,"error":{code,message,details?}}`. A wrong line does not stop the others. Where nothing can be taken at present (`unavailable`, `outcome_unknown`, `overloaded` for 30 s) the lines in flight say so, the answer ends and the connection is closed: send again from the first line that has no id. Lines with a `foreignId` are not doubled by that.',
    },
    middleware: [requireContentType(contentType), refuseIdempotencyKey, requireSteadyBody],
    handle: ({ principal, request, response }) => answerStream(tools, principal, request, response),
  };
}

const refuseIdempotencyKey: RequestHandler = (request, _response, next) => {
  if (request.headers['idempotency-key'] !== undefined) {
    throw invalidRequest('A stream has no Idempotency-Key: give each line its foreignId instead.');
  }
  next();
};

async function answerStream(
  tools: LineTools,
  principal: Principal,
  request: Request,
  response: Response,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.on('error', () => gone.abort());
  const sender = {
    caller: () => callerOf(request, principal, { acceptedAt: Date.now(), mintId: tools.mintId }),
    withActor: actorChooser(request, principal),
    gone: gone.signal,
  };
  const body = decoded(request);
  response.status(200).set('Content-Type', contentType);

  let lastLine = 0;
  async function write(text: string): Promise<void> {
    gone.signal.throwIfAborted();
    if (!response.write(text)) {
      await once(response, 'drain', { signal: gone.signal });
    }
  }
  try {
    await answerLines(
      body,
      (lines) => {
        lastLine = lines.at(-1)?.number ?? lastLine;
        return acceptLines(tools, sender, lines);
      },
      write,
    );
  } catch (error) {
    if (gone.signal.aborted || body.errored !== error) {
      throw error;
    }
    await write(answerText(lastLine + 1, invalidRequest('The body cannot be read from here on.')));
  }
  response.end();
  if (!request.complete) {
    closeSoon(request);
  }
}

/** The body as it was before it was compressed. Unlike the request it can be ended without breaking the connection. */
function decoded(request: Request): Transform {
  const highWaterMark = lineLimits.groupSizeMaxBytes;
  const body = decoderOf(request.headers['content-encoding']) ?? new PassThrough({ highWaterMark });
  request.on('error', (error) => body.destroy(error));
  request.on('close', () => {
    if (!request.complete) {
      body.destroy(new Error('the sender is gone'));
    }
  });
  return request.pipe(body);
}

function closeSoon(request: Request): void {
  request.resume();
  request.once('end', () => request.socket.end());
  setTimeout(() => request.socket.destroy(), closeGraceMs).unref();
}
