import { activityLimits } from '@tideline/shared/activity';
import type pg from 'pg';
import { type Examination, fault, warning } from './examination.js';
import type { Redis } from './servers.js';

/** Ingest refuses what is further ahead. */
const skewFaultMs = activityLimits.futureSkewMaxMs;
const skewWarningMs = 1_000;

export interface ClockReading {
  name: string;
  /** How far it is ahead of this machine's. */
  aheadMs: number;
}

/** Reads a clock elsewhere against one's own: in the middle between asking and the answer. */
export async function readClock(name: string, now: () => number, ask: () => Promise<number>): Promise<ClockReading> {
  const before = now();
  const there = await ask();
  return { name, aheadMs: there - (before + now()) / 2 };
}

export async function databaseTimeMs(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ ms: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  );
  return rows[0]?.ms ?? Number.NaN;
}

export async function redisTimeMs(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
}

/** Whether the clocks, this machine's too, agree. Kafka's brokers do not tell theirs. */
export function examineClocks(readings: readonly ClockReading[], examination: Examination): void {
  const all = [{ name: 'this machine', aheadMs: 0 }, ...readings].sort((a, b) => a.aheadMs - b.aheadMs);
  const skewMs = (all.at(-1)?.aheadMs ?? 0) - (all[0]?.aheadMs ?? 0);
  const seen = all.map(({ name, aheadMs }) => `${name} ${aheadMs < 0 ? '' : '+'}${(aheadMs / 1_000).toFixed(1)} s`);
  examination.check(
    skewMs <= skewWarningMs,
    (skewMs > skewFaultMs ? fault : warning)(
      'clock_skew',
      `Clocks differ by ${(skewMs / 1_000).toFixed(1)} s: ${seen.join(', ')}. Ingest refuses timestamps that are more than ${skewFaultMs / 1_000} s ahead.`,
      'Let all machines keep their time with NTP (timedatectl, chronyc tracking).',
    ),
  );
}
