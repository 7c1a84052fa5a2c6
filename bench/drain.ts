// How fast one fanout process drains a backlog, beside what its servers take from a client that does nothing else.
// usage: npm run drain -w bench -- [--activities 100000] [--authors 2000] [--readers 10000] [--followers 20]
import { activityLimits } from '@tideline/shared/activity';
import { randomNumbers } from '@tideline/testing/history';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { followsOf, makePopulation, postFollows, warmInboxes } from './population.js';
import { postBody } from './post-body.js';
import { createRawTable, rawInsertLimit } from './raw-insert-limit.js';
import { rawScriptLimit } from './raw-script-limit.js';
import { keepResult } from './results.js';

const seed = 20;
const requestsAtATime = 4;
const rawRepetitions = 3;

const settings = numberArguments({ activities: 100_000, authors: 2_000, readers: 10_000, followers: 20 });

await withBenchSystem(async (system) => {
  const population = makePopulation({ ...settings, random: randomNumbers(seed) });
  const { readers, authors } = population;
  await system.startFanout();
  await postFollows(system, population);
  await system.stopFanout();
  await warmInboxes(system, readers);
  console.log(`${authors.length} authors, ${followsOf(population)} follows, ${readers.length} warm inboxes`);
  await postBacklog(system, authors);
  console.log(`${settings.activities} activities wait on the topic`);

  const drained = await drain(system);
  const raw = await rawLimits(system, readers, authors);
  print(drained, raw);
  console.log(`kept in ${await keepResult('drain', { settings, drained, raw })}`);
});

async function postBacklog({ ingest }: BenchSystem, authors: readonly string[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < settings.activities) {
      const length = Math.min(activityLimits.batchMax, settings.activities - next);
      const first = next;
      next += length;
      await ingest.succeed('POST', '/v1/activities', {
        body: Array.from({ length }, (_, i) => postBody(authors, first + i)),
      });
    }
  };
  await Promise.all(Array.from({ length: requestsAtATime }, worker));
}

type Drained = Awaited<ReturnType<typeof drain>>;

/** From the moment a fresh process is assigned its partitions until it has committed the last offset. */
async function drain(system: BenchSystem) {
  const pressure = watchCpuPressure();
  const fanout = await system.startFanout();
  await system.caughtUp();
  const endedAt = Date.now();
  const seconds = (endedAt - (fanout.loggedAt('partitions assigned') ?? Number.NaN)) / 1000;
  const cpuPressure = pressure();
  const metrics = await fanout.metrics();
  await system.stopFanout();
  const delivered = metrics.sum('tideline_deliveries_total', { outcome: 'inserted' });
  return {
    seconds,
    cpuPressure,
    activitiesPerS: settings.activities / seconds,
    deliveriesPerS: delivered / seconds,
    delivered,
    batches: metrics.sum('tideline_batch_records_count'),
    processorS: metrics.sum('process_cpu_seconds_total'),
    stageS: Object.fromEntries(metrics.byLabel('tideline_batch_stage_duration_seconds_sum', 'stage')),
  };
}

type RawLimits = Awaited<ReturnType<typeof rawLimits>>;

async function rawLimits({ cache, database }: BenchSystem, readers: readonly string[], authors: readonly string[]) {
  await createRawTable(database);
  return {
    scriptDeliveriesPerS: await bestOf(() => rawScriptLimit(cache, readers)),
    insertRowsPerS: await bestOf(() => rawInsertLimit(database, authors, 1)),
    insertRowsPerSOnTwo: await bestOf(() => rawInsertLimit(database, authors, 2)),
  };
}

/** A limit is what the servers can do, so what disturbs them does not count. */
async function bestOf(measure: () => Promise<number>): Promise<number> {
  let best = 0;
  for (let i = 0; i < rawRepetitions; i += 1) {
    best = Math.max(best, await measure());
  }
  return best;
}

function print(drained: Drained, raw: RawLimits): void {
  const { activitiesPerS, deliveriesPerS, seconds, delivered, batches, processorS } = drained;
  const share = (part: number, whole: number) => `${Math.round((part / whole) * 100)} %`;
  console.table({
    'drain, activities/s': { figure: Math.round(activitiesPerS), target: '>= 12,000 (T7)' },
    'drain, deliveries/s': { figure: Math.round(deliveriesPerS), target: '>= 240,000 (T7)' },
    'raw insert-ids.lua, deliveries/s': {
      figure: Math.round(raw.scriptDeliveriesPerS),
      'drain reaches': share(deliveriesPerS, raw.scriptDeliveriesPerS),
    },
    'raw unnest, 1 connection, rows/s': {
      figure: Math.round(raw.insertRowsPerS),
      'drain reaches': share(activitiesPerS, raw.insertRowsPerS),
    },
    'raw unnest, 2 connections, rows/s': {
      figure: Math.round(raw.insertRowsPerSOnTwo),
      'drain reaches': share(activitiesPerS, raw.insertRowsPerSOnTwo),
    },
  });
  console.log(
    `drained in ${seconds.toFixed(1)} s: ${delivered} deliveries, ${batches} batches, fanout used ` +
      `${processorS.toFixed(1)} s of a processor; CPU pressure ${percentText(drained.cpuPressure)}`,
  );
  console.log('seconds by stage, over all batches (several run at a time):');
  console.table(Object.fromEntries(Object.entries(drained.stageS).map(([stage, s]) => [stage, s.toFixed(2)])));
}
