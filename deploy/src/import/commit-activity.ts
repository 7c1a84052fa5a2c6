import { createHash } from 'node:crypto';
import { type ActivityInput, activityLimits } from '@tideline/shared/activity';
import type { Commit } from './git-history.js';

const userIdLengthMax = 64;
const userNameLengthMax = 128;
const hashLength = 8;

/** A commit as an activity, or why it cannot be one. */
export function commitActivity(commit: Commit, repository: string, now: number): ActivityInput | { skipped: string } {
  const { hash, parents, authorName, committedAt, subject } = commit;
  const skipped = skipReason(committedAt, now);
  if (skipped !== undefined) {
    return { skipped };
  }
  const title = cut(subject, activityLimits.textLengthMax);
  return {
    actorId: authorId(commit),
    verb: 'committed',
    objectType: 'commit',
    objectId: hash,
    ...(title === '' ? {} : { objectTitle: title }),
    targetType: 'repository',
    targetId: repository,
    metadata: {
      authorName: cut(authorName, userNameLengthMax),
      ...(parents.length > 1 ? { merge: true, parents: parents.length } : {}),
    },
    foreignId: hash,
    timestamp: committedAt,
  };
}

function skipReason(committedAt: number, now: number): string | undefined {
  if (Number.isNaN(committedAt)) {
    return 'without a date that git can read';
  }
  if (committedAt < activityLimits.timestampMin) {
    return 'dated before 2000';
  }
  return committedAt > now ? 'dated in the future' : undefined;
}

/**
 * The user that an author is: the e-mail address in lower case with `:` for `@`. Where more than that would have to
 * change, or there is no address, or it is too long, a hash of it is added, so that different authors stay different.
 */
export function authorId({ authorName, authorEmail }: Pick<Commit, 'authorName' | 'authorEmail'>): string {
  const source = authorEmail.trim().toLowerCase() || authorName.trim() || 'unknown';
  const id = source.replace('@', ':');
  if (/^[a-z0-9_.-]+@[a-z0-9_.-]+$/.test(source) && id.length <= userIdLengthMax) {
    return id;
  }
  const readable = id.replace(/[^A-Za-z0-9_.:-]+/g, '-').slice(0, userIdLengthMax - hashLength - 1);
  return `${readable}-${createHash('sha256').update(source).digest('hex').slice(0, hashLength)}`;
}

/** What a user is called: never nothing. */
export function userName(authorName: string, id: string): string {
  return cut(authorName.trim(), userNameLengthMax) || id;
}

/** At most `length` UTF-16 units, without half a character at the end. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '');
}
