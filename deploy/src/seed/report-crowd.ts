import type { Crowd } from './crowd.js';

export interface SentPhase {
  name: string;
  /** All that the crowd has. */
  count: number;
  /** By this run. */
  sent: number;
  seconds: number;
}

const mostFollowedShown = 5;

/** What this run sent, how long it took, and how fast that was. */
export function reportPhases(phases: SentPhase[], report: (line: string) => void): void {
  for (const { name, count, sent, seconds } of phases) {
    const rate = sent === 0 ? 0 : sent / seconds;
    const rest = sent === count ? '' : ` of ${count}`;
    report(`${name.padEnd(12)} ${sent}${rest} in ${seconds.toFixed(1)} s, ${Math.round(rate)}/s`);
  }
  const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  report(`${'altogether'.padEnd(12)} ${seconds.toFixed(1)} s`);
}

/** Who is worth looking at, and how. */
export function reportCrowd(crowd: Crowd, { feedApiUrl, report }: { feedApiUrl: string; report(line: string): void }) {
  const { seed, users, posts, likes } = crowd.settings;
  report(`\nThe crowd of seed ${seed}: ${users} users, ${crowd.followCount} follows, ${posts} posts, ${likes} likes.`);
  report('Most followed:');
  const top = crowd.mostFollowed(mostFollowedShown);
  for (const { user, followers } of top) {
    report(`  ${crowd.userId(user)}  ${String(followers).padStart(6)} followers  ${crowd.userName(user)}`);
  }
  const call = "curl -sS -H 'X-App-Key: demo-producer'";
  const reader = crowd.userId(0);
  report("\nA home feed, and what the most followed did (with your own key where there is no demo's):");
  report(`  ${call} -H 'X-Act-As: ${reader}' ${feedApiUrl}/v1/feeds/home`);
  report(`  ${call} ${feedApiUrl}/v1/users/${crowd.userId(top[0]?.user ?? 0)}/feed`);
}
