import { randomUUID } from 'node:crypto';
import { TidelineError, unavailable } from '@tideline/shared/errors';
import { type Letter, letterOf } from './letter.js';
import type { LetterTools } from './letter-tools.js';

/** The topic is read without a pause; where nothing comes for so long, Kafka does not answer. */
const silenceMaxMs = 20_000;

/** Offsets of a partition, from the first to before the second. What was read moves the first. */
interface Range {
  from: number;
  to: number;
}

type Ranges = Map<number, Range>;

/** How many letters there are, decided or not. */
export async function countLetters(tools: LetterTools): Promise<number> {
  const ranges = await readRanges(tools);
  return [...ranges.values()].reduce((sum, { from, to }) => sum + to - from, 0);
}

/**
 * Gives all letters that are there now, or those with these ids, to `visit`, some at a time and one call after the other, the
 * oldest of a partition first. Throws `unavailable`, and what `visit` throws.
 */
export async function readLetters(
  tools: LetterTools,
  ids: ReadonlySet<string> | undefined,
  visit: (letters: Letter[]) => Promise<void>,
): Promise<void> {
  const ranges = narrowed(await readRanges(tools), ids);
  if (ranges.size === 0) {
    return;
  }
  // A group of its own, which is gone afterwards: kafkajs reads as a member of one.
  const groupId = `${tools.letterTopic}.${randomUUID()}`;
  const consumer = tools.kafka.consumer({ groupId, allowAutoTopicCreation: false });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [tools.letterTopic], fromBeginning: true });
    await readAll(consumer, tools.letterTopic, ranges, (letters) =>
      visit(ids === undefined ? letters : letters.filter(({ id }) => ids.has(id))),
    );
  } finally {
    await consumer.disconnect();
    await withAdmin(tools, (admin) => admin.deleteGroups([groupId])).catch(() => undefined);
  }
}

async function readAll(
  consumer: ReturnType<LetterTools['kafka']['consumer']>,
  topic: string,
  ranges: Ranges,
  visit: (letters: Letter[]) => Promise<void>,
): Promise<void> {
  const waiting = new Set(ranges.keys());
  const { promise, resolve, reject } = settledLater();
  consumer.on(consumer.events.CRASH, ({ payload }) =>
    reject(unavailable(`The dead-letter topic cannot be read: ${payload.error.message}`, payload.error)),
  );
  let silence: NodeJS.Timeout | undefined;
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => reject(unavailable('Kafka gives no letters, though there are some.')), silenceMaxMs);
  };
  listen();
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      const range = ranges.get(batch.partition);
      if (range === undefined || !waiting.has(batch.partition)) {
        return;
      }
      clearTimeout(silence);
      try {
        const inRange = batch.messages.filter(
          ({ offset }) => Number(offset) >= range.from && Number(offset) < range.to,
        );
        await visit(inRange.map((message) => letterOf(batch.partition, message)));
        // A seek may come after the first batch, and then the same is read again.
        range.from = Math.max(range.from, Number(batch.lastOffset()) + 1);
        resolveOffset(batch.lastOffset());
        await heartbeat();
      } catch (error) {
        reject(error);
        return;
      }
      if (Number(batch.lastOffset()) >= range.to - 1) {
        waiting.delete(batch.partition);
      }
      if (waiting.size === 0) {
        resolve();
      } else {
        listen();
      }
    },
  });
  for (const [partition, { from }] of ranges) {
    consumer.seek({ topic, partition, offset: String(from) });
  }
  try {
    await promise;
  } finally {
    clearTimeout(silence);
  }
}

function settledLater() {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((onDone, onError) => {
    resolve = onDone;
    reject = onError;
  });
  // It may be rejected before anybody waits for it.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

async function readRanges(tools: LetterTools): Promise<Ranges> {
  const offsets = await withAdmin(tools, (admin) => admin.fetchTopicOffsets(tools.letterTopic));
  const ranges = offsets.map(
    ({ partition, low, high }) => [partition, { from: Number(low), to: Number(high) }] as const,
  );
  return new Map(ranges.filter(([, { from, to }]) => from < to));
}

/** What has to be read to find these ids. Throws `configuration` for one that is no letter. */
function narrowed(ranges: Ranges, ids: ReadonlySet<string> | undefined): Ranges {
  if (ids === undefined) {
    return ranges;
  }
  const wanted: Ranges = new Map();
  for (const id of ids) {
    const [partition = -1, offset = -1] = id.split(':').map(Number);
    const range = ranges.get(partition);
    if (range === undefined || offset < range.from || offset >= range.to) {
      throw new TidelineError(
        'configuration',
        `There is no dead letter ${id}; the command \`list\` shows which there are.`,
      );
    }
    const { from, to } = wanted.get(partition) ?? { from: offset, to: offset + 1 };
    wanted.set(partition, { from: Math.min(from, offset), to: Math.max(to, offset + 1) });
  }
  return wanted;
}

type Admin = ReturnType<LetterTools['kafka']['admin']>;

async function withAdmin<T>({ kafka, letterTopic }: LetterTools, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw unavailable(`Kafka does not say what ${letterTopic} has: ${(error as Error).message}`, error);
  } finally {
    await admin.disconnect();
  }
}
