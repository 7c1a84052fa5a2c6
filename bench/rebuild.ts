// How fast everything that is made of events is made anew, and events themselves from Kafka, while services run and are asked.
// usage: npm run rebuild -w bench -- [--activities 100000] [--authors 2000] [--readers 2000] [--followers 20]
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { publishProjections } from '@tideline/deploy/rebuild/publish-projections';
import { rebuildProjections } from '@tideline/deploy/rebuild/rebuild-projections';
import { replayEvents } from '@tideline/deploy/replay/replay-events';
import { activityLimits } from '@tideline/shared/activity';
import { unlessUnavailable } from '@tideline/shared/errors';
import { dropLists } from '@tideline/shared/registers';
import { randomNumbers } from '@tideline/testing/history';
import type { PageBody } from '@tideline/testing/http-client';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { removeKeys } from './installation.js';
import { followsOf, makePopulation, postFollows, warmInboxes } from './population.js';
import { postBody } from './post-body.js';
import { keepResult } from './results.js';

const seed = 20;
const requestsAtATime = 4;
const readsAtATime = 50;
const pageSize = 50;
const pollMs = 20;
const targetPerMinute = 100_000;

const settings = numberArguments({ activities: 100_000, authors: 2_000, readers: 2_000, followers: 20 });

const projections = 'follows, relations, tombstones, users, objects, authors, author_weeks, notifications';

await withBenchSystem(async (system) => {
  const population = makePopulation({ ...settings, random: randomNumbers(seed) });
  const { readers, authors } = population;
  await system.startFanout();
  await postFollows(system, population);
  await postActivities(system, authors);
  await system.caughtUp();
  console.log(`${settings.activities} activities, ${followsOf(population)} follows, ${readers.length} readers`);
  await warmInboxes(system, readers);
  const before = await hashOfFeeds(system, readers);

  const runs = {
    'from the event store': await measure(system, readers, before, emptyProjections, async () => {
      await rebuildProjections({ databaseUrl: system.serverConfig.databaseUrl, again: false });
      await publishProjections(system.serverConfig);
    }),
    'from Kafka': await measure(system, readers, before, loseEverything, async () => {
      await replayEvents(system.serverConfig, { again: true, signal: new AbortController().signal });
    }),
  };
  console.table(Object.fromEntries(Object.entries(runs).map(([name, run]) => [name, shown(run)])));
  console.log(`Target: ${targetPerMinute} activities a minute (T11), with feeds as they were and no wrong page.`);
  console.log(`kept in ${await keepResult('rebuild', { settings, runs })}`);
  process.exitCode = Object.values(runs).every(isAsWanted) ? 0 : 1;
});

async function postActivities({ ingest }: BenchSystem, authors: readonly string[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < settings.activities) {
      const first = next;
      const length = Math.min(activityLimits.batchMax, settings.activities - first);
      next += length;
      await ingest.succeed('POST', '/v1/activities', {
        body: Array.from({ length }, (_, i) => postBody(authors, first + i)),
      });
    }
  };
  await Promise.all(Array.from({ length: requestsAtATime }, worker));
}

/** Of the first page of every reader, as a client sees it. */
async function hashOfFeeds({ feedApi }: BenchSystem, readers: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (let start = 0; start < readers.length; start += readsAtATime) {
    const pages = await Promise.all(
      readers.slice(start, start + readsAtATime).map((actAs) => firstPage(feedApi, actAs)),
    );
    for (const { status, text } of pages) {
      if (status !== 200) {
        throw new Error(`a feed cannot be read: ${status}`);
      }
      hash.update(text);
    }
  }
  return hash.digest('hex');
}

async function firstPage(feedApi: BenchSystem['feedApi'], actAs: string): Promise<{ status: number; text: string }> {
  const { status, body } = await feedApi.request<PageBody>('GET', `/v1/feeds/home?limit=${pageSize}`, { actAs });
  return { status, text: JSON.stringify(body.items ?? null, inOrder) };
}

/** Fields of an object have no order: what the database says and what Kafka said are the same. */
function inOrder(_key: string, value: unknown): unknown {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;
}

type Run = Awaited<ReturnType<typeof measure>>;

/** Has something be lost, made anew, and every inbox with it. */
async function measure(
  system: BenchSystem,
  readers: readonly string[],
  before: string,
  lose: (system: BenchSystem) => Promise<void>,
  mend: () => Promise<void>,
) {
  const [reader = ''] = readers;
  const polling = await pollReader(system, reader);
  try {
    await lose(system);
    const pressure = watchCpuPressure();
    const startedAt = performance.now();
    await mend();
    const mendedS = (performance.now() - startedAt) / 1_000;
    await confirmEpoch(system, reader);
    await warmInboxes(system, readers);
    const withInboxesS = (performance.now() - startedAt) / 1_000;
    const cpuPressure = pressure();
    const isSame = (await hashOfFeeds(system, readers)) === before;
    return { mendedS, withInboxesS, cpuPressure, pages: polling.pages, isSame };
  } finally {
    await polling.stop();
  }
}

async function emptyProjections(system: BenchSystem): Promise<void> {
  await system.database.none(`truncate ${projections}`);
  await removeKeys(system.serverConfig.namespace, system.cache);
}

/** Nobody may truncate events: a crash does not ask. */
async function loseEverything(system: BenchSystem): Promise<void> {
  await system.database.tx(async (transaction) => {
    await transaction.any(`select close_feeds('the bench has taken all away')`);
    await transaction.none('set local session_replication_role = replica');
    await transaction.none(`truncate activities, control_activities, replayed_records, ${projections}`);
  });
  await removeKeys(system.serverConfig.namespace, system.cache);
}

/** The epoch is another one by now, which a connection finds out when it is refused. */
async function confirmEpoch({ cache }: BenchSystem, reader: string): Promise<void> {
  await unlessUnavailable(() => cache.run(dropLists(cache, 'inbox', [reader])));
  await cache.settled();
}

/** Reads one page again and again: it is to be right, or refused. */
async function pollReader({ feedApi }: BenchSystem, reader: string) {
  const right = await firstPage(feedApi, reader);
  const pages = { right: 0, refused: 0, wrong: 0 };
  let stopping = false;
  const running = (async () => {
    while (!stopping) {
      const { status, text } = await firstPage(feedApi, reader);
      if (status === 503) {
        pages.refused += 1;
      } else if (text === right.text) {
        pages.right += 1;
      } else {
        pages.wrong += 1;
      }
      await delay(pollMs);
    }
  })();
  return {
    pages,
    async stop() {
      stopping = true;
      await running;
    },
  };
}

function perMinute(seconds: number): number {
  return Math.round((settings.activities / seconds) * 60);
}

function shown({ mendedS, withInboxesS, cpuPressure, pages, isSame }: Run) {
  return {
    s: mendedS.toFixed(1),
    'activities/min': perMinute(mendedS),
    's, with inboxes': withInboxesS.toFixed(1),
    'activities/min, with inboxes': perMinute(withInboxesS),
    'feeds the same': isSame,
    'pages right, refused, wrong': `${pages.right}, ${pages.refused}, ${pages.wrong}`,
    'CPU pressure': percentText(cpuPressure),
  };
}

function isAsWanted({ mendedS, pages, isSame }: Run): boolean {
  return perMinute(mendedS) >= targetPerMinute && isSame && pages.wrong === 0;
}
