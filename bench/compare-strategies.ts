// Whether strategy=pull and strategy=hybrid give the same home feeds, item for item and to the last page, on a system
// that runs: for readers chosen at random from a crowd that `npm run seed` made.
// usage: npm run compare-strategies -w bench -- [--readers 200] [--users 10000] [--crowd 1] [--choice 1] [--feed-api-port 8080] [--fanout-operations-port 9082]
import { isDeepStrictEqual } from 'node:util';
import type { FeedItem } from '@tideline/shared/activity';
import { randomNumbers } from '@tideline/testing/history';
import { HttpClient } from '@tideline/testing/http-client';
import { readMetrics } from '@tideline/testing/metrics-page';
import { waitUntil } from '@tideline/testing/wait-until';
import { numberArguments } from './arguments.js';

const readersAtATime = 4;
const pageSize = 50;
const lagTimeoutMs = 600_000;

const settings = numberArguments({
  readers: 200,
  users: 10_000,
  crowd: 1,
  /** Another number chooses other readers. */
  choice: 1,
  'feed-api-port': 8080,
  'fanout-operations-port': 9082,
});

const feedApi = new HttpClient(settings['feed-api-port']);

await waitUntil('fanout has caught up', hasCaughtUp, lagTimeoutMs);
const startedAt = performance.now();
const waiting = chosenReaders().values();
const results: { reader: string; items: number; difference: string | undefined }[] = [];
const worker = async () => {
  for (const reader of waiting) {
    const result = { reader, ...(await compare(reader)) };
    results.push(result);
    if (result.difference !== undefined) {
      console.error(`${reader}: ${result.difference}`);
    }
  }
};
await Promise.all(Array.from({ length: readersAtATime }, worker));
report();

async function hasCaughtUp(): Promise<boolean> {
  const metrics = await readMetrics(settings['fanout-operations-port']);
  return metrics.names.has('tideline_consumer_lag_records') && metrics.sum('tideline_consumer_lag_records') === 0;
}

function chosenReaders(): Set<string> {
  const random = randomNumbers(settings.choice);
  const chosen = new Set<string>();
  while (chosen.size < Math.min(settings.readers, settings.users)) {
    const user = String(Math.floor(random() * settings.users));
    chosen.add(`seed-${settings.crowd}-${user.padStart(6, '0')}`);
  }
  return chosen;
}

/** The first hybrid walk may come from SQL and lets the inbox be built; the next one reads it. */
async function compare(reader: string): Promise<{ items: number; difference: string | undefined }> {
  const walk = (strategy: string) => feedApi.walk('/v1/feeds/home', reader, pageSize, { strategy });
  const pull = await walk('pull');
  for (const name of ['first', 'second']) {
    const difference = differenceOf(pull, await walk('hybrid'));
    if (difference !== undefined) {
      return { items: pull.length, difference: `the ${name} hybrid walk: ${difference}` };
    }
  }
  return { items: pull.length, difference: undefined };
}

function differenceOf(pull: FeedItem[], hybrid: FeedItem[]): string | undefined {
  const length = Math.max(pull.length, hybrid.length);
  for (let index = 0; index < length; index += 1) {
    if (!isDeepStrictEqual(pull[index], hybrid[index])) {
      const [wanted, got] = [pull[index], hybrid[index]].map((item) => JSON.stringify(item) ?? 'nothing');
      return `item ${index} is ${got}, pull has ${wanted} (${hybrid.length} and ${pull.length} items)`;
    }
  }
  return undefined;
}

function report(): void {
  const lengths = results.map(({ items }) => items).sort((a, b) => a - b);
  const seconds = (performance.now() - startedAt) / 1000;
  const failed = results.filter(({ difference }) => difference !== undefined).length;
  console.log(
    `${results.length} home feeds in ${seconds.toFixed(1)} s; items: ${lengths.reduce((sum, n) => sum + n, 0)} in all, ` +
      `${lengths[0] ?? 0} in the shortest, ${lengths[lengths.length >> 1] ?? 0} in the middle one, ${lengths.at(-1) ?? 0} in the longest`,
  );
  console.log(`\n${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
