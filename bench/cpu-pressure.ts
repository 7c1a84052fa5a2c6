import { readFileSync } from 'node:fs';

/**
 * How crowded the processors were: the share of time in which something that could run had to wait for one, ours
 * and everybody else's. Above a third, latencies say more about the machine than about the code. Linux only.
 */
export function watchCpuPressure(): () => number | undefined {
  const startedUs = stalledUs();
  const startedAt = performance.now();
  return () => {
    const now = stalledUs();
    return startedUs === undefined || now === undefined
      ? undefined
      : (now - startedUs) / 1000 / (performance.now() - startedAt);
  };
}

function stalledUs(): number | undefined {
  try {
    return Number(/some .*total=(\d+)/.exec(readFileSync('/proc/pressure/cpu', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

export function percentText(share: number | undefined): string {
  return share === undefined ? 'unknown' : `${Math.round(share * 100)} %`;
}
