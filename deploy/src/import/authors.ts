import { activityLimits } from '@tideline/shared/activity';
import type { ImportTarget } from './import-target.js';
import { showProgress } from './progress.js';

/** Each names one user, so they go in parallel. */
const describedAtOnce = 16;

/** Gives every author its name. */
export async function describeAuthors(names: ReadonlyMap<string, string>, target: ImportTarget): Promise<void> {
  const progress = showProgress('authors', names.size, 0);
  const waiting = names.entries();
  let done = 0;
  // All of them take from the one iterator.
  const worker = async () => {
    for (const [id, name] of waiting) {
      target.signal.throwIfAborted();
      await target.ingest.send('PUT', `/v1/users/${encodeURIComponent(id)}`, JSON.stringify({ name }));
      done += 1;
      progress.update(done);
    }
  };
  try {
    await Promise.all(Array.from({ length: describedAtOnce }, worker));
  } finally {
    progress.stop();
  }
}

/** Lets every follower follow every author. */
export async function follow(followers: string[], authors: string[], target: ImportTarget): Promise<void> {
  for (const followerId of followers) {
    const follows = authors
      .filter((followeeId) => followeeId !== followerId)
      .map((followeeId) => ({ followerId, followeeId }));
    for (let from = 0; from < follows.length; from += activityLimits.followBatchMax) {
      target.signal.throwIfAborted();
      const batch = follows.slice(from, from + activityLimits.followBatchMax);
      await target.ingest.send('POST', '/v1/follows', JSON.stringify(batch));
    }
    target.report(`User ${followerId} follows ${follows.length} authors.`);
  }
}
