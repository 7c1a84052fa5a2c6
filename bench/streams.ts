// Open streams under load: does each get exactly what its home feed got, and how soon?
// usage: npm run streams -w bench -- [--streams 1000] [--rate 100] [--seconds 60] [--authors 50] [--followers 20]
//        [--threshold 100] [--drops 0] [--kills 0]
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { foreignActivityId } from '@tideline/shared/activity-id';
import { redisConnection } from '@tideline/shared/redis-connection';
import { randomNumbers } from '@tideline/testing/history';
import { waitUntil } from '@tideline/testing/wait-until';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { postInOpenLoop } from './open-loop.js';
import { freshnessBetween, type Percentiles, percentilesOf } from './percentiles.js';
import { followsOf, makePopulation, type Population, postFollows, warmInboxes } from './population.js';
import { keepResult } from './results.js';
import { StreamReader } from './stream-reader.js';

const seed = 11;
const warmUpS = 5;
const openedAtATime = 50;
const comparedAtATime = 10;
/** Nothing came for so long: nothing more will. A client waits up to 10 s before it opens a lost stream again. */
const silenceMs = 2_000;
const reopenTimeoutMs = 60_000;

const settings = numberArguments({
  streams: 1_000,
  rate: 100,
  seconds: 60,
  authors: 50,
  followers: 20,
  threshold: 100,
  drops: 0,
  kills: 0,
});

await withBenchSystem(
  async (system) => {
    const random = randomNumbers(seed);
    const population = makePopulation({ ...settings, readers: settings.streams, random });
    const pulled = [...population.followersOf.values()].filter(({ length }) => length > settings.threshold).length;
    const fanout = await system.startFanout();
    await postFollows(system, population);
    await warmInboxes(system, population.readers);
    console.log(`${settings.authors} authors, ${pulled} of them pulled, ${followsOf(population)} follows`);

    const load = { population, random, postedAtMs: new Map<string, number>() };
    const readers = await openStreams(system, population.readers, load.postedAtMs);
    console.log(`${readers.length} streams are open`);
    // Compiles the hot paths of all processes; a service that runs has long done that.
    await post(system, load, warmUpS);
    await comeToRest(system, readers);
    for (const reader of readers) {
      reader.latenciesMs = [];
    }

    const before = await fanout.metrics();
    const pressure = watchCpuPressure();
    const [{ acknowledged, errors }] = await Promise.all([
      post(system, load, settings.seconds),
      dropSubscriptions(system),
      killFeedApi(system),
    ]);
    const cpuPressure = pressure();
    await comeToRest(system, readers);
    const delivered = freshnessBetween(before, await fanout.metrics());
    const streamed = percentilesOf(readers.flatMap(({ latenciesMs }) => latenciesMs));
    const counts = { errors, ...countsOf(readers), ...(await differencesOf(readers)) };
    await Promise.all(readers.map(({ stream }) => stream.close()));

    console.log(`${settings.rate} posts/s for ${settings.seconds} s, in ms from the scheduled time:`);
    print('acknowledged (202)', acknowledged);
    print('an event of a stream', streamed);
    print('accepted → in inboxes', delivered);
    console.log(
      Object.entries(counts)
        .map(([what, count]) => `${what}: ${count}`)
        .join(', '),
    );
    console.log(`CPU pressure ${percentText(cpuPressure)}. Target without faults: p99 of events <= 100 ms`);
    const measured = { cpuPressure, acknowledged, delivered, streamed, counts };
    console.log(`kept in ${await keepResult('streams', { settings, ...measured })}`);
    const failed = errors + counts.repeated + counts.different;
    console.log(`${readers.length - counts.different} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  },
  { followerThreshold: settings.threshold },
);

async function openStreams(
  { feedApi }: BenchSystem,
  userIds: readonly string[],
  postedAtMs: ReadonlyMap<string, number>,
): Promise<StreamReader[]> {
  const readers: StreamReader[] = [];
  for (let start = 0; start < userIds.length; start += openedAtATime) {
    const some = userIds
      .slice(start, start + openedAtATime)
      .map((userId) => new StreamReader(feedApi, userId, postedAtMs));
    await Promise.all(some.map(({ stream }) => stream.whenOpened()));
    readers.push(...some);
  }
  return readers;
}

interface Load {
  population: Population;
  random: () => number;
  /** By the id of the activity, when it was to be posted. */
  postedAtMs: Map<string, number>;
}

async function post(system: BenchSystem, { population: { authors }, random, postedAtMs }: Load, seconds: number) {
  const { acknowledgedMs, errors } = await postInOpenLoop(system, {
    rate: settings.rate,
    seconds,
    nextPost(dueMs) {
      const { id, body } = nextPost(authors[Math.floor(random() * authors.length)] ?? '');
      postedAtMs.set(id, dueMs);
      return body;
    },
  });
  return { acknowledged: percentilesOf(acknowledgedMs), errors };
}

/** Its foreign id tells its id before ingest does. */
function nextPost(actorId: string) {
  const foreignId = randomUUID();
  const timestamp = Date.now();
  const what = { verb: 'post', objectType: 'note', objectId: foreignId, objectTitle: 'Live' };
  return {
    id: foreignActivityId(actorId, foreignId, timestamp),
    body: { actorId, foreignId, timestamp, ...what },
  };
}

/** Breaks the subscription of feed-api so often while there is load. */
async function dropSubscriptions({ serverConfig }: BenchSystem): Promise<void> {
  const redis = redisConnection(serverConfig.redisUrl, { connectTimeoutMs: 1_000, commandTimeoutMs: 1_000 });
  await redis.connect();
  for (let drop = 0; drop < settings.drops; drop += 1) {
    await delay(timeBetweenMs(settings.drops));
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }
  redis.disconnect();
}

async function killFeedApi(system: BenchSystem): Promise<void> {
  for (let kill = 0; kill < settings.kills; kill += 1) {
    await delay(timeBetweenMs(settings.kills));
    await system.killFeedApi();
  }
}

function timeBetweenMs(count: number): number {
  return (settings.seconds * 1_000) / (count + 1);
}

/** Waits until fanout has caught up, all streams are open and nothing more comes. */
async function comeToRest(system: BenchSystem, readers: readonly StreamReader[]): Promise<void> {
  await system.caughtUp();
  await waitUntil('all streams are open', () => readers.every(({ stream }) => stream.isOpen), reopenTimeoutMs);
  let before = -1;
  await waitUntil('nothing more comes', async () => {
    const now = countsOf(readers).events;
    const isQuiet = now === before;
    before = now;
    await delay(silenceMs);
    return isQuiet;
  });
}

function countsOf(readers: readonly StreamReader[]) {
  const sum = (of: (reader: StreamReader) => number) => readers.reduce((total, reader) => total + of(reader), 0);
  return {
    events: sum(({ received }) => received),
    repeated: sum(({ repeated }) => repeated),
    resyncs: sum(({ resyncs }) => resyncs),
    reopened: sum(({ stream }) => stream.opened - 1),
  };
}

/** What readers know, held against their home feeds. */
async function differencesOf(readers: readonly StreamReader[]) {
  const counts = { different: 0, missing: 0, extra: 0 };
  for (let start = 0; start < readers.length; start += comparedAtATime) {
    const some = readers.slice(start, start + comparedAtATime);
    for (const { missing, extra } of await Promise.all(some.map((reader) => reader.differences()))) {
      counts.different += missing + extra === 0 ? 0 : 1;
      counts.missing += missing;
      counts.extra += extra;
    }
  }
  return counts;
}

function print(what: string, { count, p50, p95, p99, ...rest }: Omit<Percentiles, 'max'> & { max?: number }): void {
  const max = rest.max === undefined ? '' : `   max ${rest.max.toFixed(1).padStart(7)}`;
  const [a, b, c] = [p50, p95, p99].map((value) => value.toFixed(1).padStart(7));
  console.log(`  ${what.padEnd(22)} p50 ${a}   p95 ${b}   p99 ${c}${max}   n ${count}`);
}
