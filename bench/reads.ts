// Load on home feeds, by strategy, beside an Express route that sends the same bytes and does nothing else.
// usage: npm run reads -w bench -- [--readers 200] [--followees 520] [--authors 2000] [--activities 20000] [--connections 100] [--seconds 10]
import { randomNumbers } from '@tideline/testing/history';
import autocannon from 'autocannon';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { serveCannedPage } from './canned-page.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { postFollows, warmInboxes } from './population.js';
import { postBody } from './post-body.js';
import { keepResult } from './results.js';

const seed = 21;
const batchLength = 500;
const warmUpS = 2;

const settings = numberArguments({
  readers: 200,
  followees: 520,
  authors: 2_000,
  activities: 20_000,
  connections: 100,
  seconds: 10,
});

interface Measured {
  requestsPerS: number;
  averageMs: number;
  p50Ms: number;
  /** autocannon gives p97.5, not p95: the figure is a little too high. */
  p97Ms: number;
  p99Ms: number;
  maxMs: number;
  failed: number;
}

await withBenchSystem(async (system) => {
  const readers = await populate(system);
  const page = await system.feedApi.succeed<object>('GET', '/v1/feeds/home', { actAs: readers[0] ?? '' });
  const canned = await serveCannedPage(JSON.stringify(page));
  const pressure = watchCpuPressure();
  const measured = {
    'canned bytes, Express': await load(`http://127.0.0.1:${canned.port}`, ['/'], readers),
    'strategy=hybrid': await load(system.feedApi.origin, ['/v1/feeds/home'], readers),
    'strategy=push': await load(system.feedApi.origin, ['/v1/feeds/home?strategy=push'], readers),
    'strategy=pull, kept 2 s': await load(system.feedApi.origin, ['/v1/feeds/home?strategy=pull'], readers),
    'strategy=pull, every time': await load(system.feedApi.origin, ['/v1/feeds/home?strategy=pull'], readers, {
      'cache-control': 'no-cache',
    }),
  };
  await canned.close();
  console.log(`CPU pressure ${percentText(pressure())}`);
  console.table(measured);
  console.log(`kept in ${await keepResult('reads', { settings, measured })}`);
});

/** Each reader follows the same number of authors, all of whom post; inboxes are built. */
async function populate(system: BenchSystem): Promise<string[]> {
  const random = randomNumbers(seed);
  const authors = Array.from({ length: settings.authors }, (_, i) => `author-${i}`);
  const readers = Array.from({ length: settings.readers }, (_, i) => `reader-${i}`);
  const followersOf = new Map<string, string[]>(authors.map((author) => [author, []]));
  for (const reader of readers) {
    const chosen = new Set<string>();
    while (chosen.size < Math.min(settings.followees, authors.length)) {
      chosen.add(authors[Math.floor(random() * authors.length)] ?? '');
    }
    for (const author of chosen) {
      followersOf.get(author)?.push(reader);
    }
  }
  await system.startFanout();
  await postFollows(system, { readers, authors, followersOf });
  for (let first = 0; first < settings.activities; first += batchLength) {
    const length = Math.min(batchLength, settings.activities - first);
    const body = Array.from({ length }, (_, i) => postBody(authors, first + i));
    await system.ingest.succeed('POST', '/v1/activities', { body });
  }
  await system.caughtUp();
  await warmInboxes(system, readers);
  console.log(`${readers.length} readers of ${settings.followees} authors each, ${settings.activities} activities`);
  return readers;
}

async function load(
  origin: string,
  paths: readonly string[],
  readers: readonly string[],
  headers: Record<string, string> = {},
): Promise<Measured> {
  const requests = readers.flatMap((reader) =>
    paths.map((path) => ({ path, headers: { 'x-app-key': 'demo-producer', 'x-act-as': reader, ...headers } })),
  );
  // Each connection begins with another reader: all with the same one at once would be another load.
  let next = 0;
  const setupClient = (client: autocannon.Client) => {
    const first = Math.floor((next * requests.length) / settings.connections);
    next = (next + 1) % settings.connections;
    client.setRequests([...requests.slice(first), ...requests.slice(0, first)]);
  };
  const options = { url: origin, connections: settings.connections, requests, setupClient };
  await autocannon({ ...options, duration: warmUpS });
  const { requests: rates, latency, non2xx, errors } = await autocannon({ ...options, duration: settings.seconds });
  return {
    requestsPerS: Math.round(rates.average),
    averageMs: latency.average,
    p50Ms: latency.p50,
    p97Ms: latency.p97_5,
    p99Ms: latency.p99,
    maxMs: latency.max,
    failed: non2xx + errors,
  };
}
