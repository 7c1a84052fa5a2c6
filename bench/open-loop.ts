import { setTimeout as delay } from 'node:timers/promises';
import type { BenchSystem } from './bench-system.js';

const tickMs = 1;

export interface OpenLoop {
  /** Posts a second. */
  rate: number;
  seconds: number;
  /** The body of the next post, which is due at this time, by `performance.now()`. */
  nextPost(dueMs: number): object;
}

/** Posts activities on schedule, whether or not earlier posts were answered; times are from when a post was due. */
export async function postInOpenLoop(
  { ingest }: BenchSystem,
  { rate, seconds, nextPost }: OpenLoop,
): Promise<{ acknowledgedMs: number[]; errors: number }> {
  const acknowledgedMs: number[] = [];
  const answers: Promise<void>[] = [];
  let errors = 0;
  const total = rate * seconds;
  const startedAt = performance.now();
  while (answers.length < total) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * rate) + 1;
    while (answers.length < Math.min(due, total)) {
      const dueMs = startedAt + (answers.length / rate) * 1000;
      const answer = ingest.request('POST', '/v1/activities', { body: nextPost(dueMs) }).then(
        ({ status }) => {
          acknowledgedMs.push(performance.now() - dueMs);
          errors += status === 202 ? 0 : 1;
        },
        () => {
          errors += 1;
        },
      );
      answers.push(answer);
    }
    await delay(tickMs);
  }
  await Promise.all(answers);
  return { acknowledgedMs, errors };
}
