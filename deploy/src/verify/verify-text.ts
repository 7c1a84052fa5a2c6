import type { Difference } from '@tideline/shared/verify/look';
import type { ReaderDifferences } from '@tideline/shared/verify/verify-readers';
import type { VerifyReport } from './verify-feeds.js';

const idsShownMax = 10;

/** The report for people: a line for each reader, list and fault with its ids, then a summary. */
export function verifyText(report: VerifyReport): string {
  const { readers, inboxes, outboxes, notifications, different, undecided, undecidedBecause, repaired } = report;
  const lines: string[] = [];
  if (repaired !== undefined) {
    lines.push(...section('repaired, by dropping what was wrong; it is built anew when it is next read', repaired));
  }
  lines.push(...section(repaired === undefined ? 'different' : 'still different', different));
  lines.push(...section(`undecided, because ${undecidedBecause ?? ''}`, undecided));
  lines.push(
    `Compared with the database: ${readers} readers, of whom ${inboxes} inboxes, ${outboxes} outboxes and ${notifications} lists of notifications are in Redis.`,
    `${different.length} differ${repaired === undefined ? '' : `, ${repaired.length} were repaired`}, ${undecided.length} are undecided.`,
  );
  return lines.join('\n');
}

function section(title: string, readers: readonly ReaderDifferences[]): string[] {
  return readers.length === 0 ? [] : [`${title}:`, ...readers.flatMap(linesOf), ''];
}

function linesOf({ reader, differences }: ReaderDifferences): string[] {
  const groups = new Map<string, Difference[]>();
  for (const difference of differences) {
    const name = `${difference.list}: ${difference.fault}`;
    groups.set(name, [...(groups.get(name) ?? []), difference]);
  }
  return Array.from(groups, ([name, group]) => {
    const ids = group.slice(0, idsShownMax).map(({ id }) => id);
    const rest = group.length > ids.length ? ` and ${group.length - ids.length} more (--json has all)` : '';
    return `  ${reader}  ${name} ${ids.join(' ')}${rest}`.trimEnd();
  });
}
