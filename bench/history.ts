// Pages of ten years of weekly activities by one author, at every depth and both ways: in ms at the client, beside those of
// an author who did as much within one week.
// usage: npm run history -w bench -- [--weeks 521] [--crowd 100] [--rounds 20]
import { dropLists } from '@tideline/shared/registers';
import type { PageBody } from '@tideline/testing/http-client';
import { numberArguments } from './arguments.js';
import { type BenchSystem, withBenchSystem } from './bench-system.js';
import { percentText, watchCpuPressure } from './cpu-pressure.js';
import { percentilesOf } from './percentiles.js';
import { keepResult } from './results.js';

const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
const batchLength = 500;
const pageSize = 20;
const targetMs = 20;

/** crowd: others who post every week, so that each chunk has something. rounds: how often each page is read. */
const settings = numberArguments({ weeks: 521, crowd: 100, rounds: 20 });
const endMs = Date.now() - 60_000;

const authors = ['weekly', 'dense', 'dormant'];

interface Reading {
  what: string;
  path: string;
  reader: string;
  /** Its lists are dropped before each read, so that pages come from the database. */
  cold: boolean;
}

const homes = ['', '&strategy=pull', '&aggregate=true'].flatMap((query) =>
  [...authors, 'nobody'].map((whom) => ({
    path: `/v1/feeds/home?limit=${pageSize}${query}`,
    reader: `of-${whom}`,
    what: `home of who follows ${whom}${query.replace('&', ', ')}`,
  })),
);
const profiles = authors.map((author) => ({
  path: `/v1/users/${author}/feed?limit=${pageSize}`,
  reader: 'of-nobody',
  what: `feed of the ${author} author`,
}));
const own = [{ path: '/feed/my?limit=20', reader: 'weekly', what: '/feed/my of the weekly author' }];
const readings: Reading[] = [...homes, ...profiles, ...own].flatMap((reading) =>
  [true, false].map((cold) => ({ ...reading, cold })),
);

await withBenchSystem(async (system) => {
  await system.startFanout();
  await fill(system);
  const pressure = watchCpuPressure();
  const rows = [];
  for (const reading of readings) {
    rows.push(await measure(system, reading));
  }
  const cpuPressure = pressure();
  console.table(rows);
  const slow = rows.filter(({ p50 }) => p50 >= targetMs);
  console.log(
    `${settings.weeks} weeks, CPU pressure ${percentText(cpuPressure)}; target: every p50 below ${targetMs} ms`,
  );
  console.log(`kept in ${await keepResult('history', { settings, cpuPressure, rows })}`);
  process.exitCode = slow.length === 0 ? 0 : 1;
});

async function fill(system: BenchSystem): Promise<void> {
  const at: Record<string, number[]> = {
    weekly: times(settings.weeks, weekMs),
    dense: times(settings.weeks, weekMs / settings.weeks),
    dormant: times(30, dayMs, (settings.weeks - 10) * weekMs),
  };
  for (let i = 0; i < settings.crowd; i += 1) {
    at[`crowd-${i}`] = times(settings.weeks, weekMs, i * 60_000);
  }
  const body = Object.entries(at).flatMap(([actorId, timestamps]) =>
    timestamps.map((timestamp, i) => ({ actorId, verb: 'post', objectType: 'note', objectId: `n-${i}`, timestamp })),
  );
  for (let first = 0; first < body.length; first += batchLength) {
    await system.ingest.succeed('POST', '/v1/activities', { body: body.slice(first, first + batchLength) });
  }
  const follows = authors.map((author) => ({ followerId: `of-${author}`, followeeId: author }));
  await system.ingest.succeed('POST', '/v1/follows', { body: follows });
  await system.caughtUp();
  console.log(`${body.length} activities in ${settings.weeks} weeks`);
}

function times(count: number, everyMs: number, sinceMs = 0): number[] {
  return Array.from({ length: count }, (_, i) => Math.round(endMs - sinceMs - i * everyMs));
}

/** Reads a feed page by page to its end and back up, and each page anew in every round. */
async function measure(system: BenchSystem, { what, path, reader, cold }: Reading) {
  const paths = await pathsOf(system, path, reader);
  const tookMs: number[] = [];
  for (let round = 0; round < settings.rounds; round += 1) {
    const page = paths[round % paths.length] ?? path;
    if (cold) {
      await forgetLists(system, reader);
    }
    const startedAt = performance.now();
    await system.feedApi.succeed('GET', page, { actAs: reader, headers: { 'cache-control': 'no-cache' } });
    tookMs.push(performance.now() - startedAt);
  }
  const { p50, p95, max } = percentilesOf(tookMs);
  const rounded = (ms: number) => Math.round(ms * 10) / 10;
  return {
    what,
    from: cold ? 'database' : 'wherever it is',
    pages: paths.length,
    p50: rounded(p50),
    p95: rounded(p95),
    max: rounded(max),
  };
}

async function forgetLists({ cache }: BenchSystem, reader: string): Promise<void> {
  await cache.run([...dropLists(cache, 'inbox', [reader]), ...dropLists(cache, 'outbox', authors)]);
}

/** The first page, some in the middle, the last one, and one that leads back. */
async function pathsOf(system: BenchSystem, path: string, reader: string): Promise<string[]> {
  const all: string[] = [];
  for (let next: string | null = path; next !== null; ) {
    all.push(next);
    const page: Partial<PageBody> & { next_url?: string | null } = await system.feedApi.succeed('GET', next, {
      actAs: reader,
    });
    next = pathOf(page.paging?.next ?? page.next_url ?? null);
  }
  const chosen = [0, 1, all.length >> 2, all.length >> 1, all.length - 1].flatMap((i) => all[i] ?? []);
  const last = await system.feedApi.succeed<Partial<PageBody>>('GET', all.at(-1) ?? path, { actAs: reader });
  const back = pathOf(last.paging?.previous ?? null);
  return [...new Set([...chosen, ...(back === null ? [] : [back])])];
}

function pathOf(link: string | null): string | null {
  if (link === null) {
    return null;
  }
  const { pathname, search } = new URL(link, 'http://localhost');
  return pathname + search;
}
