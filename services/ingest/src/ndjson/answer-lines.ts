import type { Readable } from 'node:stream';
import { type Line, LineSplitter } from './line-splitter.js';

/**
 * A body of any length, answered line by line in bounded memory.
 *
 *   body ──► lines ──► groups ──► accepted, a few at once ──► answers, in the order of the lines ──► write
 *    ▲                                                                                                │
 *    └──── nothing is read while as many groups as may be wait, for their acceptance or to be written ┘
 */

export const lineLimits = {
  lineSizeMaxBytes: 64 * 1024,
  groupLinesMax: 500,
  groupSizeMaxBytes: 512 * 1024,
  groupsInFlightMax: 4,
} as const;

export interface GroupAnswer {
  /** The answers to all lines of the group. */
  text: string;
  /** Nothing can be taken at present: what follows is not even read. */
  isLast: boolean;
}

/**
 * Answers until the body or, by a last answer, the work ends: groups in flight are answered then, and nothing after
 * them. Throws what reading, accepting and writing throw, once what came before is written.
 */
export async function answerLines(
  body: Readable,
  accept: (lines: readonly Line[]) => Promise<GroupAnswer>,
  write: (text: string) => Promise<void>,
): Promise<void> {
  const inFlight: Promise<void>[] = [];
  let written = Promise.resolve();
  let isOver = false;

  async function acceptUnlessOver(lines: readonly Line[]): Promise<GroupAnswer> {
    const answer = await accept(lines);
    if (answer.isLast) {
      isOver = true;
      body.destroy();
    }
    return answer;
  }

  async function writeInTurn(answer: Promise<GroupAnswer>, before: Promise<void>): Promise<void> {
    await before;
    await write((await answer).text);
  }

  let failure: unknown;
  try {
    for await (const lines of lineGroups(body)) {
      const answer = acceptUnlessOver(lines);
      written = writeInTurn(answer, written);
      // Both are waited for below; until then nobody may call them unhandled.
      answer.catch(() => undefined);
      written.catch(() => undefined);
      inFlight.push(written);
      if (inFlight.length === lineLimits.groupsInFlightMax) {
        await inFlight.shift();
      }
      if (isOver) {
        break;
      }
    }
  } catch (error) {
    failure = error;
  }
  await written;
  if (failure !== undefined && !isOver) {
    throw failure;
  }
}

/** Lines as they come: a full group, or what there is when the body has no more for now. */
async function* lineGroups(body: Readable): AsyncGenerator<Line[]> {
  const splitter = new LineSplitter(lineLimits.lineSizeMaxBytes);
  let group: Line[] = [];
  let sizeBytes = 0;

  function take(): Line[] {
    const taken = group;
    group = [];
    sizeBytes = 0;
    return taken;
  }

  for await (const chunk of body) {
    for (const line of splitter.push(chunk as Buffer)) {
      group.push(line);
      sizeBytes += line.content instanceof Buffer ? line.content.length : 0;
      if (group.length === lineLimits.groupLinesMax || sizeBytes >= lineLimits.groupSizeMaxBytes) {
        yield take();
      }
    }
    if (group.length > 0 && body.readableLength === 0) {
      yield take();
    }
  }
  group.push(...splitter.end());
  if (group.length > 0) {
    yield take();
  }
}
