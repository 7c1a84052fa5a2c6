import { setTimeout as delay } from 'node:timers/promises';
import { type ActivityInput, activityInputSchema } from '@tideline/shared/activity';
import { isTidelineError, TidelineError, unavailable } from '@tideline/shared/errors';
import { errorBody } from '@tideline/shared/http/error-response';
import { parseJson } from '@tideline/shared/http/json-body';
import { validate } from '@tideline/shared/http/validate';
import {
  type AcceptanceTools,
  type AcceptedActivity,
  type ActedInput,
  acceptActivities,
} from '../activities/accept-activities.js';
import type { Caller } from '../caller.js';
import type { GroupAnswer } from './answer-lines.js';
import type { Line } from './line-splitter.js';

/** For how long a group waits for room in the lanes. */
const overloadPatienceMs = 30_000;
const overloadPauseMs = 50;

export interface LineSender {
  /** Who it is, as of now. */
  caller(): Caller;
  /** Says whose activity it is. Throws where the sender may not post it. */
  withActor(input: ActivityInput): ActedInput;
  /** Aborted once nobody waits for answers any more. */
  gone: AbortSignal;
}

type Outcome = AcceptedActivity | TidelineError;

/**
 * Accepts the lines of a group together, and answers each: with what `acceptActivities` gives, or with its error. A wrong
 * line does not hold up the others. Where nothing can be taken at present every line says so, and the answer is the last.
 * Full lanes are waited for, for 30 s.
 */
export async function acceptLines(
  tools: AcceptanceTools,
  sender: LineSender,
  lines: readonly Line[],
): Promise<GroupAnswer> {
  const parsed = lines.map((line) => parseLine(line, sender));
  const inputs = parsed.filter((each): each is ActedInput => !(each instanceof TidelineError));
  const accepted = inputs.length === 0 ? [] : await acceptAll(tools, sender, inputs);
  const outcomes = parsed.map((each) => (each instanceof TidelineError ? each : accepted.shift()));
  return {
    text: lines.map(({ number }, i) => answerText(number, outcomes[i])).join(''),
    isLast: outcomes.some((outcome) => outcome instanceof TidelineError && outcome.retryable),
  };
}

function parseLine({ content }: Line, sender: LineSender): ActedInput | TidelineError {
  if (content instanceof TidelineError) {
    return content;
  }
  try {
    return sender.withActor(validate(activityInputSchema, parseJson(content), 'activity'));
  } catch (error) {
    return expected(error);
  }
}

async function acceptAll(
  tools: AcceptanceTools,
  sender: LineSender,
  inputs: readonly ActedInput[],
): Promise<Outcome[]> {
  try {
    return await onceThereIsRoom(sender.gone, () => acceptActivities(tools, sender.caller(), inputs));
  } catch (caught) {
    const error = expected(caught);
    if (error.retryable || inputs.length === 1) {
      return inputs.map((_, i) => errorOfOne(error, i));
    }
  }
  // One of them is too large as it is stored, and nothing was taken: each by itself, in order.
  const outcomes: Outcome[] = [];
  for (const [i, input] of inputs.entries()) {
    const [outcome = unavailable('nothing came of it')] = await acceptAll(tools, sender, [input]);
    outcomes.push(outcome);
    if (outcome instanceof TidelineError && outcome.retryable) {
      const notTried = unavailable('Writing is not possible now.');
      return [...outcomes, ...inputs.slice(i + 1).map(() => notTried)];
    }
  }
  return outcomes;
}

/** `overloaded` says that nothing was taken: the sender is slowed down instead. */
async function onceThereIsRoom<T>(gone: AbortSignal, accept: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + overloadPatienceMs;
  for (;;) {
    try {
      return await accept();
    } catch (error) {
      if (!isTidelineError(error, 'overloaded') || performance.now() > deadline) {
        throw error;
      }
    }
    await delay(overloadPauseMs, undefined, { signal: gone });
  }
}

/** What is unknown has the ids of a whole group; each line is answered with its own. */
function errorOfOne(error: TidelineError, place: number): TidelineError {
  if (error.code !== 'outcome_unknown') {
    return error;
  }
  const { ids } = error.details as { ids: readonly string[] };
  const { code, message, retryable } = error;
  return new TidelineError(code, message, { retryable, details: { ids: ids.slice(place, place + 1) } });
}

function expected(error: unknown): TidelineError {
  if (error instanceof TidelineError) {
    return error;
  }
  throw error;
}

/** One line of the answer. */
export function answerText(line: number, outcome: Outcome | undefined): string {
  const said = outcome instanceof TidelineError || outcome === undefined ? errorBody(outcome) : outcome;
  return `${JSON.stringify({ line, ...said })}\n`;
}
