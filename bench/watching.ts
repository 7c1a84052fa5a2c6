// What it costs deliveries that somebody watches, and that Redis tells of keys: insert-ids.lua alone, in turns.
// All readers are taken for one bucket, as of an installation with 256 times as many.
// usage: npm run watching -w bench -- [--readers 1000] [--rounds 7]
import { randomBytes } from 'node:crypto';
import { activityIdMinter, lowestActivityId } from '@tideline/shared/activity-id';
import { RedisFeedLists } from '@tideline/testing/feed-lists';
import { findServers } from '@tideline/testing/servers';
import { numberArguments } from './arguments.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { rawScriptLimit } from './raw-script-limit.js';
import { keepResult } from './results.js';

const inboxCap = 500;
const deliveriesMin = 200_000;
const builtAtATime = 100;
const parameter = 'notify-keyspace-events';
const never = 99_999_999_999;

const settings = numberArguments({ readers: 1_000, rounds: 7 });
const readers = Array.from({ length: settings.readers }, (_, i) => `user-${i}`);

const others = Array.from({ length: 40 }, (_, i) => `other-${i}`);

interface Case {
  name: string;
  /** As Redis writes them. */
  keyspaceEvents: string;
  watched: readonly string[];
}

const cases: readonly Case[] = [
  { name: 'nobody watches, no events', keyspaceEvents: '', watched: [] },
  { name: 'nobody watches, Exe', keyspaceEvents: 'Exe', watched: [] },
  { name: 'nobody watches, KEA', keyspaceEvents: 'KEA', watched: [] },
  { name: 'others of the bucket watch', keyspaceEvents: 'Exe', watched: others },
  { name: 'one of ten watches', keyspaceEvents: 'Exe', watched: readers.filter((_, i) => i % 10 === 0) },
  { name: 'everybody watches', keyspaceEvents: 'Exe', watched: readers },
];

const servers = await findServers(process.env);
try {
  const namespace = `bench${randomBytes(4).toString('hex')}`;
  const epochs = { epochOf: () => Promise.resolve('1') };
  const lists = await RedisFeedLists.open(namespace, epochs, inboxCap, servers.urls.TIDELINE_REDIS_URL);
  const [, eventsBefore = ''] = (await lists.redis.config('GET', parameter)) as string[];
  try {
    await buildInboxes(lists);
    const pressure = watchCpuPressure();
    const measured = await measureInTurns(lists);
    const cpuPressure = pressure();
    print(measured);
    console.log(`CPU pressure ${percentText(cpuPressure)}`);
    console.log(`kept in ${await keepResult('watching', { settings, cpuPressure, measured })}`);
  } finally {
    await lists.redis.config('SET', parameter, eventsBefore);
    await removeKeys(lists, namespace);
    await lists.close();
  }
} finally {
  await servers.release();
}

/** Full ones, which are trimmed now and then: otherwise the first turns would be the cheapest. */
async function buildInboxes({ store }: RedisFeedLists): Promise<void> {
  const mintId = activityIdMinter();
  const ids = Array.from({ length: inboxCap }, () => mintId(Date.now())).reverse();
  for (let start = 0; start < readers.length; start += builtAtATime) {
    await Promise.all(
      readers.slice(start, start + builtAtATime).map(async (userId) => {
        const list = { kind: 'inbox', userId } as const;
        const token = (await store.begin(list, true)) ?? Buffer.alloc(0);
        await store.finish(list, token, ids, ids.at(-1) ?? lowestActivityId);
      }),
    );
  }
}

interface Measured {
  deliveriesPerS: number;
  /** Of Redis's one thread that runs commands: what else the machine does disturbs it little. */
  processorUsPerDelivery: number;
}

/** Each case by round, in turns, so that all of them are disturbed alike. */
async function measureInTurns(lists: RedisFeedLists): Promise<Record<string, Measured[]>> {
  const { redis, cache } = lists;
  const measured: Record<string, Measured[]> = {};
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const { name, keyspaceEvents, watched } of cases) {
      await redis.config('SET', parameter, keyspaceEvents);
      await redis.unlink(cache.keys.watched(0), cache.keys.live(0));
      if (watched.length > 0) {
        await redis.zadd(cache.keys.watched(0), ...watched.flatMap((userId) => [never, userId]));
      }
      measured[name] = [...(measured[name] ?? []), await measure(lists)];
    }
  }
  return measured;
}

async function measure({ redis, cache }: RedisFeedLists): Promise<Measured> {
  const processorSBefore = await processorSecondsOf(redis);
  const startedAt = performance.now();
  const deliveriesPerS = await rawScriptLimit(cache, readers, deliveriesMin);
  const deliveries = (deliveriesPerS * (performance.now() - startedAt)) / 1_000;
  const processorS = (await processorSecondsOf(redis)) - processorSBefore;
  return { deliveriesPerS, processorUsPerDelivery: (processorS * 1e6) / deliveries };
}

async function processorSecondsOf(redis: RedisFeedLists['redis']): Promise<number> {
  const info = await redis.info('cpu');
  return [...info.matchAll(/used_cpu_\w+_main_thread:([\d.]+)/g)].reduce(
    (sum, [, seconds]) => sum + Number(seconds),
    0,
  );
}

function print(measured: Record<string, Measured[]>): void {
  const medians = Object.entries(measured).map(([name, rounds]) => ({
    name,
    perS: median(rounds.map(({ deliveriesPerS }) => deliveriesPerS)),
    processorUs: median(rounds.map(({ processorUsPerDelivery }) => processorUsPerDelivery)),
  }));
  const reference = medians[0]?.processorUs ?? Number.NaN;
  console.log(`insert-ids.lua, medians of ${settings.rounds} rounds:`);
  console.table(
    Object.fromEntries(
      medians.map(({ name, perS, processorUs }) => [
        name,
        {
          'deliveries/s': Math.round(perS),
          'us of Redis for one': processorUs.toFixed(3),
          'of the first': `${((processorUs / reference) * 100).toFixed(0)} %`,
        },
      ]),
    ),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function removeKeys({ redis }: RedisFeedLists, namespace: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${namespace}:*`, count: 1_000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) {
      await redis.unlink(...keys);
    }
  }
}
