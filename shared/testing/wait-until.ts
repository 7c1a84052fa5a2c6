import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 20;
const timeoutDefaultMs = 60_000;

/** Waits until `condition` gives something true, and returns it. Fails with `what` after the timeout. */
export async function waitUntil<T>(
  what: string,
  condition: () => Promise<T> | T,
  timeoutMs = timeoutDefaultMs,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
    }
    await delay(pollMs);
  }
}
