import type { ReplayReport } from './replay-events.js';

/** What a replay did, for people. */
export function replayText(report: ReplayReport & { tookMs: number }): string {
  const { read, stored, dropped, leftOut, examples, rebuilt, tookMs } = report;
  const lines = [
    `Read ${read} records in ${(tookMs / 1_000).toFixed(1)} s: ${stored} were missing, and are stored again.`,
  ];
  if (rebuilt !== undefined) {
    lines.push(
      `Rebuilt: ${rebuilt.written} rows written, ${rebuilt.removed} taken away. Feeds are open; cache epoch ${rebuilt.epoch} began.`,
    );
  }
  if (dropped > 0) {
    lines.push(
      `Kafka does not keep the first ${dropped} records of the log any more: what they said comes from backups.`,
    );
  }
  const stages = Object.entries(leftOut).filter(([, count]) => count > 0);
  if (stages.length > 0) {
    lines.push(
      `Left out: ${stages.map(([stage, count]) => `${count} ${stage}`).join(', ')}. \`npx tideline dead-letters list --decided\` has what was given up before.`,
      ...examples.map((example) => `  ${example}`),
    );
  }
  return lines.join('\n');
}
