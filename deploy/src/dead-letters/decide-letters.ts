import { setTimeout as delay } from 'node:timers/promises';
import { deadLetterHeaders, headersOfRecord } from '@tideline/shared/dead-letter-headers';
import { TidelineError, unavailable } from '@tideline/shared/errors';
import { LogProgress } from '@tideline/shared/log-progress';
import { countApplied, decide } from './decisions.js';
import type { Letter } from './letter.js';
import type { LetterTools } from './letter-tools.js';
import { isChosen, type KnownLetter, type LetterChoice, withDecisions } from './list-letters.js';
import { readLetters } from './read-letters.js';

/** What goes to Kafka at once, well below what a broker takes. */
const sendLettersMax = 500;
const sendSizeMaxBytes = 256 * 1024;
const pollMs = 100;
const acksOfAll = -1;

/** Letters by their ids, or all open ones, of a stage where one is given. */
export type Decided = { ids: ReadonlySet<string> } | { stage: string | undefined };

export interface DecideOptions {
  /** How many letters were looked at. */
  onProgress(letters: number): void;
}

export interface ReplayOptions extends DecideOptions {
  /** How long fanout may take to get to what was sent. */
  patienceMs: number;
}

export interface ReplayReport {
  sent: number;
  /** Of those, how many fanout has applied. The others were given up again, unless `undecided`. */
  applied: number;
  /** fanout did not get to them in time. */
  undecided: boolean;
  /** Ids of letters that cannot be replayed: they do not say where their record stood, or have not all of it. */
  notReplayable: string[];
}

/**
 * Sends records back to where they were, with the version that they had. What is decided is written down first, because
 * fanout believes a replayed record by that alone. Stopped at any point, the same call goes on. Throws `unavailable`.
 */
export async function replayLetters(tools: LetterTools, which: Decided, options: ReplayOptions): Promise<ReplayReport> {
  const { since } = await tools.database.one<{ since: Date }>('select clock_timestamp() as since');
  const notReplayable: string[] = [];
  let sent = 0;
  const producer = tools.kafka.producer({ allowAutoTopicCreation: false });
  try {
    await producer.connect();
    await visitChosen(tools, which, options, async (letters) => {
      const replayable = letters.filter((letter) => isReplayable(tools, letter));
      notReplayable.push(...letters.filter((letter) => !isReplayable(tools, letter)).map(({ id }) => id));
      for (const slice of inSlices(replayable)) {
        await decide(tools.database, slice, 'replaying');
        await producer.send({
          topic: tools.topic,
          acks: acksOfAll,
          messages: slice.map((letter) => replayedMessage(tools, letter)),
        });
        await decide(tools.database, slice, 'replayed');
        sent += slice.length;
      }
    });
  } catch (error) {
    throw (error as Error).name.startsWith('KafkaJS')
      ? unavailable(`Kafka does not take what is replayed: ${(error as Error).message}`, error)
      : error;
  } finally {
    await producer.disconnect();
  }
  const undecided = sent > 0 && !(await fanoutIsDone(tools, options.patienceMs));
  const { applied } = await countApplied(tools.database, since);
  return { sent, applied: Math.min(applied, sent), undecided: undecided && applied < sent, notReplayable };
}

/**
 * Writes down that nothing is to become of letters, and why. Returns how many. Throws `unavailable`, and `configuration` for a
 * letter that was replayed: something has become of it.
 */
export async function discardLetters(
  tools: LetterTools,
  which: Decided,
  reason: string,
  options: DecideOptions,
): Promise<number> {
  let discarded = 0;
  await visitChosen(tools, which, options, async (letters) => {
    const replayed = letters.find(({ decision }) => decision.state === 'replayed' || decision.state === 'applied');
    if (replayed !== undefined) {
      throw new TidelineError(
        'configuration',
        `The letter ${replayed.id} was replayed: if that failed, there is a newer letter to discard.`,
      );
    }
    await decide(tools.database, letters, 'discarded', reason);
    discarded += letters.length;
  });
  return discarded;
}

async function visitChosen(
  tools: LetterTools,
  which: Decided,
  { onProgress }: DecideOptions,
  visit: (letters: KnownLetter[]) => Promise<void>,
): Promise<void> {
  const ids = 'ids' in which ? which.ids : undefined;
  // Who names a letter means it, whatever was decided before.
  const choice: LetterChoice =
    'ids' in which ? { stage: undefined, decided: true } : { stage: which.stage, decided: false };
  let seen = 0;
  await readLetters(tools, ids, async (letters) => {
    const chosen = (await withDecisions(tools, letters)).filter((letter) => isChosen(letter, choice));
    if (chosen.length > 0) {
      await visit(chosen);
    }
    seen += letters.length;
    onProgress(seen);
  });
}

/** A key is needed to find the partition again where the topic was made anew since. */
function isReplayable({ topic, generation }: LetterTools, { topic: from, version, isCut, message }: Letter): boolean {
  return (
    from === topic && version !== undefined && !isCut && (version.generation === generation || message.key !== null)
  );
}

function replayedMessage({ generation }: LetterTools, { version, attempts, message }: Letter) {
  return {
    key: message.key,
    value: message.value,
    // Else Kafka's own rule finds it from the key: all of an author are together in every generation.
    ...(version?.generation === generation ? { partition: version.partition } : {}),
    headers: {
      ...headersOfRecord(message.headers),
      ...Object.fromEntries(
        [
          deadLetterHeaders.topic,
          deadLetterHeaders.generation,
          deadLetterHeaders.partition,
          deadLetterHeaders.offset,
        ].map((name) => [name, message.headers?.[name]]),
      ),
      [deadLetterHeaders.attempts]: String(attempts ?? 1),
    },
  };
}

function* inSlices(letters: readonly Letter[]): Generator<Letter[]> {
  let slice: Letter[] = [];
  let sizeBytes = 0;
  for (const letter of letters) {
    const letterBytes = letter.message.value?.length ?? 0;
    if (slice.length > 0 && (slice.length === sendLettersMax || sizeBytes + letterBytes > sendSizeMaxBytes)) {
      yield slice;
      slice = [];
      sizeBytes = 0;
    }
    slice.push(letter);
    sizeBytes += letterBytes;
  }
  if (slice.length > 0) {
    yield slice;
  }
}

async function fanoutIsDone({ kafka, topic, groupId }: LetterTools, patienceMs: number): Promise<boolean> {
  const log = new LogProgress({ kafka, topic, groupId });
  try {
    const end = await log.end();
    const deadline = performance.now() + patienceMs;
    for (;;) {
      if (await log.hasPassed(end)) {
        return true;
      }
      if (performance.now() > deadline) {
        return false;
      }
      await delay(pollMs);
    }
  } finally {
    await log.close();
  }
}
