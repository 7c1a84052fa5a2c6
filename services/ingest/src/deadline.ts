/**
 * Waits for work, but no longer than `timeoutMs`: then throws what `late` gives. The work itself goes on, and what
 * becomes of it is nobody's any more.
 */
export async function beforeDeadline<T>(work: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
