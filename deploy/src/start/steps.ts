const reminderMs = 5_000;

/** Does one step of something longer: says what it is, that it still runs, and how long it took. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  console.log(`${title} …`);
  const reminder = setInterval(() => console.log(`${title} … ${secondsSince(startedAt, 0)}`), reminderMs);
  try {
    const result = await work();
    console.log(`${title}: done in ${secondsSince(startedAt)}`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}

export function secondsSince(startedAt: number, digits = 1): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(digits)} s`;
}
