import { TidelineError } from '@tideline/shared/errors';

const unitsMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `--since`: a time, or how long ago. Throws `configuration`. */
export function sinceOf(text: string): Date {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const time = count === undefined ? Date.parse(text) : Date.now() - Number(count) * (unitsMs[unit] ?? 0);
  // Date.parse takes "5" for a month.
  if (Number.isNaN(time) || (count === undefined && !/^\d{4}-/.test(text))) {
    throw new TidelineError('configuration', `--since: "${text}" is neither a time nor something like 90m, 24h or 7d.`);
  }
  return new Date(time);
}
