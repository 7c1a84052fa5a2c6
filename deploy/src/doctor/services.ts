import type { ClockReading } from './clocks.js';
import { readClock } from './clocks.js';
import { type Examination, fault } from './examination.js';

const answerTimeoutMs = 3_000;
/** `Date` says the second that has begun: on average half of it is over. */
const dateRoundingMs = 500;

/** Whether services at these operations URLs can do their jobs. Returns their clocks. */
export async function examineServices(
  urls: readonly string[],
  now: () => number,
  examination: Examination,
): Promise<ClockReading[]> {
  const readings = await Promise.all(urls.map((url) => examineService(url, now, examination)));
  return readings.filter((reading) => reading !== undefined);
}

async function examineService(
  url: string,
  now: () => number,
  examination: Examination,
): Promise<ClockReading | undefined> {
  let reason: string | undefined;
  let clock: ClockReading | undefined;
  try {
    clock = await readClock(url, now, async () => {
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(answerTimeoutMs) });
      const body = (await response.json()) as { reason?: string };
      reason = response.ok ? undefined : (body.reason ?? `it answers ${response.status}`);
      return Date.parse(response.headers.get('date') ?? '') + dateRoundingMs;
    });
  } catch (error) {
    reason = `it does not answer (${(error as Error).message})`;
  }
  examination.check(
    reason === undefined,
    fault(
      'service_not_ready',
      `The service at ${url} cannot do its job: ${reason ?? ''}.`,
      'See its log, and the other findings: a service is not ready while what it needs is not there.',
    ),
  );
  return clock === undefined || Number.isNaN(clock.aheadMs) ? undefined : clock;
}
