import { TidelineError } from '@tideline/shared/errors';
import { git, gitFields } from './git-command.js';

export interface Commit {
  hash: string;
  parents: string[];
  authorName: string;
  authorEmail: string;
  /** Unix milliseconds; NaN where git cannot read its own date. */
  committedAt: number;
  subject: string;
}

/** Commits that are reachable from `tips` but not from `without`. */
export interface CommitRange {
  tips: string[];
  without: string[];
}

/** Where a folder's repository is: the same for every folder of it. */
export async function repositoryFolder(path: string): Promise<string> {
  return git(path, 'rev-parse', '--absolute-git-dir');
}

/** The commits that a revision, or every branch and tag, points at. Throws `configuration` where there are none. */
export async function tipsOf(repository: string, revision: { all: true } | { rev: string }): Promise<string[]> {
  const args =
    'all' in revision
      ? ['rev-list', '--no-walk', '--all']
      : ['rev-parse', '--verify', '--end-of-options', `${revision.rev}^{commit}`];
  const output = await git(repository, ...args);
  if (output === '') {
    throw new TidelineError('configuration', `The repository ${repository} has no commits.`);
  }
  return output.split('\n').sort();
}

/** Those of the commits that the repository still has: a rewritten history may have lost some. */
export async function existingCommits(repository: string, hashes: string[]): Promise<string[]> {
  const kept = await Promise.all(
    hashes.map((hash) =>
      git(repository, 'cat-file', '-e', `${hash}^{commit}`).then(
        () => [hash],
        () => [],
      ),
    ),
  );
  return kept.flat();
}

/**
 * A name that clones of a repository share: where they came from, without protocol, user and password; else the
 * folder's.
 */
export async function repositoryName(repository: string): Promise<string> {
  const origin = await git(repository, 'config', '--get', 'remote.origin.url').catch(() => '');
  return nameOfOrigin(origin) ?? nameOfFolder(repository);
}

/** `github.com/owner/name` from any way to write that down; undefined for a path, which means something here alone. */
export function nameOfOrigin(url: string): string | undefined {
  const match =
    /^[a-z+]+:\/\/(?:[^@/]*@)?(?<host>[^/:]+)(?::\d+)?\/(?<path>.+)$/i.exec(url) ??
    /^(?:[^@/]+@)?(?<host>[^/:]+):(?!\/\/)(?<path>.+)$/.exec(url);
  const { host, path } = match?.groups ?? {};
  return host === undefined || path === undefined ? undefined : `${host}/${trimPath(path)}`;
}

function nameOfFolder(repository: string): string {
  return (
    trimPath(repository.replace(/\/\.git$/, ''))
      .split('/')
      .pop() || 'repository'
  );
}

function trimPath(path: string): string {
  return path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
}

// NUL can be in none of the fields, whatever a commit holds, and ends each of them.
const commitFields = ['%H', '%P', '%an', '%ae', '%ct', '%s'];

/** Newest first, in git's order, which is the same every time. Text that is no UTF-8 has replacement characters. */
export async function* readCommits(repository: string, range: CommitRange): AsyncGenerator<Commit> {
  for await (const fields of readRecords(repository, range, commitFields)) {
    const [hash = '', parents = '', authorName = '', authorEmail = '', committedAt = '', subject = ''] = fields;
    yield {
      hash,
      parents: parents.split(' ').filter((parent) => parent !== ''),
      authorName,
      authorEmail,
      committedAt: /^-?\d+$/.test(committedAt) ? Number(committedAt) * 1000 : Number.NaN,
      subject,
    };
  }
}

/** Only who wrote them, which is much faster. */
export async function* readAuthors(
  repository: string,
  range: CommitRange,
): AsyncGenerator<[name: string, email: string]> {
  for await (const [name = '', email = ''] of readRecords(repository, range, ['%an', '%ae'])) {
    yield [name, email];
  }
}

async function* readRecords(repository: string, range: CommitRange, fields: string[]): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  const revisions = [...range.tips, ...range.without.map((hash) => `^${hash}`)].join('\n');
  const args = [
    // Commits say in which encoding they are; git converts them.
    ...['-c', 'i18n.logOutputEncoding=UTF-8', '-c', 'log.showSignature=false', 'log', '--no-color', '--stdin', '-z'],
    `--format=${fields.join('%x00')}`,
  ];
  let record: string[] = [];
  for await (const field of gitFields(repository, args, `${revisions}\n`)) {
    record.push(decoder.decode(field));
    if (record.length === fields.length) {
      yield record;
      record = [];
    }
  }
}
