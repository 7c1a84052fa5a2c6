// How long a post takes to a follower's inbox, in open loop.
// usage: npm run freshness -w bench -- [--rate 100] [--seconds 30] [--authors 50] [--readers 200] [--followers 20]
import { randomUUID } from 'node:crypto';
import { foreignActivityId } from '@tideline/shared/activity-id';
import { randomNumbers } from '@tideline/testing/history';
import { waitUntil } from '@tideline/testing/wait-until';
import { numberArguments } from './arguments.js';
import { Arrivals } from './arrivals.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { postInOpenLoop } from './open-loop.js';
import { freshnessBetween, type Percentiles, percentilesOf } from './percentiles.js';
import { followsOf, makePopulation, type Population, postFollows, warmInboxes } from './population.js';
import { keepResult } from './results.js';

const seed = 8;
const warmUpS = 5;
/** After the last post: whatever has not arrived then is lost. */
const arrivalTimeoutMs = 10_000;

const settings = numberArguments({ rate: 100, seconds: 30, authors: 50, readers: 200, followers: 20 });

await withBenchSystem(async (system) => {
  const random = randomNumbers(seed);
  const population = makePopulation({ ...settings, random });
  const fanout = await system.startFanout();
  await postFollows(system, population);
  await warmInboxes(system, population.readers);
  console.log(
    `${settings.authors} authors, ${followsOf(population)} follows, ${population.readers.length} warm inboxes`,
  );

  // Compiles the hot paths of all processes; a service that runs has long done that.
  await post(system, population, random, warmUpS);
  const before = await fanout.metrics();
  const pressure = watchCpuPressure();
  const { posted, arrived, errors, missing } = await post(system, population, random, settings.seconds);
  const cpuPressure = pressure();
  const histogram = freshnessBetween(before, await fanout.metrics());

  console.log(`${settings.rate} posts/s for ${settings.seconds} s, in ms from the scheduled time:`);
  print('acknowledged (202)', posted);
  print('in a follower’s inbox', arrived);
  print('fanout: accepted → in inboxes', histogram);
  console.log(`errors: ${errors}, lost: ${missing}; CPU pressure ${percentText(cpuPressure)}`);
  console.log('targets: p99 < 60 (issue 3); p50 <= 8, p99 <= 40 (T8)');
  console.log(
    `kept in ${await keepResult('freshness', { settings, cpuPressure, posted, arrived, histogram, errors, missing })}`,
  );
  process.exitCode = errors + missing === 0 ? 0 : 1;
});

/** Each post is looked for in one follower's inbox. */
async function post(system: BenchSystem, population: Population, random: () => number, seconds: number) {
  const arrivals = new Arrivals(system.cache);
  const { acknowledgedMs, errors } = await postInOpenLoop(system, {
    rate: settings.rate,
    seconds,
    nextPost(since) {
      const { body, readerId, activityId } = nextPost(population, random);
      arrivals.expect({ readerId, activityId, since });
      return body;
    },
  });
  await waitUntil('all have arrived', () => arrivals.missing === 0, arrivalTimeoutMs).catch(() => undefined);
  await arrivals.stop();
  return {
    posted: percentilesOf(acknowledgedMs),
    arrived: percentilesOf(arrivals.latenciesMs),
    errors,
    missing: arrivals.missing,
  };
}

/** A post by some author and one of the author's followers. Its foreign id tells its id before ingest does. */
function nextPost({ authors, followersOf }: Population, random: () => number) {
  const actorId = authors[Math.floor(random() * authors.length)] ?? '';
  const followers = followersOf.get(actorId) ?? [];
  const readerId = followers[Math.floor(random() * followers.length)] ?? '';
  const foreignId = randomUUID();
  const timestamp = Date.now();
  const body = {
    actorId,
    verb: 'post',
    objectType: 'note',
    objectId: foreignId,
    objectTitle: 'Fresh',
    timestamp,
    foreignId,
  };
  return { body, readerId, activityId: foreignActivityId(actorId, foreignId, timestamp) };
}

function print(what: string, { count, p50, p95, p99, ...rest }: Omit<Percentiles, 'max'> & { max?: number }): void {
  const max = rest.max === undefined ? '' : `   max ${rest.max.toFixed(1).padStart(6)}`;
  const [a, b, c] = [p50, p95, p99].map((value) => value.toFixed(1).padStart(6));
  console.log(`  ${what.padEnd(32)} p50 ${a}   p95 ${b}   p99 ${c}${max}   n ${count}`);
}
