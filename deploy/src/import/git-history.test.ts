import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Commit, existingCommits, nameOfOrigin, readAuthors, readCommits, tipsOf } from './git-history.js';

let repository: string;

beforeEach(() => {
  repository = mkdtempSync(join(tmpdir(), 'tideline-git-'));
  git('init', '--quiet', '--initial-branch=main');
});

afterEach(() => rmSync(repository, { recursive: true }));

function git(...args: string[]): string {
  return execFileSync('git', ['-C', repository, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

/** Writes a commit byte by byte, as other tools do, and lets the branch point at it. */
function commit(parts: {
  message: Buffer | string;
  author?: Buffer | string;
  at?: number;
  parents?: string[];
  encoding?: string;
}): string {
  const { message, author = 'Ada <ada@example.org>', at = 1_500_000_000, parents = [], encoding } = parts;
  const tree = git('write-tree');
  const person = Buffer.from(author as string);
  const content = Buffer.concat([
    Buffer.from([`tree ${tree}\n`, ...parents.map((parent) => `parent ${parent}\n`)].join('')),
    ...['author ', 'committer '].flatMap((role) => [Buffer.from(role), person, Buffer.from(` ${at} +0000\n`)]),
    Buffer.from(encoding === undefined ? '\n' : `encoding ${encoding}\n\n`),
    Buffer.from(message as string),
  ]);
  const hash = execFileSync('git', ['-C', repository, 'hash-object', '-w', '-t', 'commit', '--literally', '--stdin'], {
    input: content,
    encoding: 'utf8',
  }).trim();
  git('update-ref', 'refs/heads/main', hash);
  return hash;
}

async function history(without: string[] = []): Promise<Commit[]> {
  const tips = await tipsOf(repository, { rev: 'HEAD' });
  return all(readCommits(repository, { tips, without }));
}

test('commits come newest first, merges with all their parents', async () => {
  const base = commit({ message: 'base', at: 1_500_000_000 });
  const left = commit({ message: 'left', at: 1_500_000_100, parents: [base] });
  const right = commit({ message: 'right', at: 1_500_000_200, parents: [base] });
  const merge = commit({ message: 'merge', at: 1_500_000_300, parents: [left, right] });

  const commits = await history();

  expect(commits.map(({ hash }) => hash)).toEqual([merge, right, left, base]);
  expect(commits.map(({ parents }) => parents.length)).toEqual([2, 1, 1, 0]);
  expect(commits[0]).toEqual({
    hash: merge,
    parents: [left, right],
    authorName: 'Ada',
    authorEmail: 'ada@example.org',
    committedAt: 1_500_000_300_000,
    subject: 'merge',
  });
});

test('a commit that says its encoding is converted', async () => {
  commit({
    message: Buffer.from('Größe geändert\n', 'latin1'),
    author: Buffer.from('Jörg <jorg@example.org>', 'latin1'),
    encoding: 'ISO-8859-1',
  });

  expect(await history()).toMatchObject([{ subject: 'Größe geändert', authorName: 'Jörg' }]);
});

test('bytes that are no UTF-8 become replacement characters', async () => {
  commit({ message: Buffer.from('Größe\n', 'latin1') });

  expect(await history()).toMatchObject([{ subject: 'Gr��e' }]);
});

test('empty messages, emoji, long subjects and authors without an address are read as they are', async () => {
  const empty = commit({ message: '' });
  const emoji = commit({ message: '🌊 waves\n\nbody\0', parents: [empty] });
  const nobody = commit({ message: 'x'.repeat(5_000), author: 'Nobody <>', parents: [emoji] });

  const commits = await history();

  expect(commits.map(({ hash }) => hash)).toEqual([nobody, emoji, empty]);
  expect(commits.map(({ subject }) => subject)).toEqual(['x'.repeat(5_000), '🌊 waves', '']);
  expect(commits[0]).toMatchObject({ authorName: 'Nobody', authorEmail: '' });
});

test('what was read before is left out, as far as the repository still has it', async () => {
  const old = commit({ message: 'old' });
  const fresh = commit({ message: 'new', parents: [old] });

  expect(await existingCommits(repository, [old, '1'.repeat(40)])).toEqual([old]);
  expect((await history([old])).map(({ hash }) => hash)).toEqual([fresh]);
  expect(await history([fresh])).toEqual([]);
});

test('all branches and tags can be read, and authors alone', async () => {
  const first = commit({ message: 'first' });
  git('tag', '--no-sign', 'old', first);
  const second = commit({ message: 'second', author: 'Bob <bob@example.org>' });

  const tips = await tipsOf(repository, { all: true });

  expect(tips).toEqual([first, second].sort());
  const authors = await all(readAuthors(repository, { tips, without: [] }));
  expect(authors.sort()).toEqual([
    ['Ada', 'ada@example.org'],
    ['Bob', 'bob@example.org'],
  ]);
});

test('no commits, no such revision and no repository are errors that say so', async () => {
  await expect(tipsOf(repository, { rev: 'HEAD' })).rejects.toMatchObject({ code: 'configuration' });
  await expect(tipsOf(repository, { all: true })).rejects.toThrow('has no commits');
  await expect(tipsOf(repository, { rev: '--output=x' })).rejects.toThrow(/^git: /);
  await expect(tipsOf(tmpdir(), { rev: 'HEAD' })).rejects.toThrow('not a git repository');
});

test('reading may stop half way', async () => {
  let parent = commit({ message: 'root' });
  for (let i = 0; i < 20; i += 1) {
    parent = commit({ message: `${i} ${'x'.repeat(60_000)}`, parents: [parent] });
  }
  const tips = await tipsOf(repository, { rev: 'HEAD' });

  for await (const { hash } of readCommits(repository, { tips, without: [] })) {
    expect(hash).toBe(parent);
    break;
  }
});

test.each([
  ['https://github.com/owner/name.git', 'github.com/owner/name'],
  ['https://user:secret@example.org:8443/a/b/', 'example.org/a/b'],
  ['ssh://git@example.org:22/a/b.git', 'example.org/a/b'],
  ['git@github.com:owner/name.git', 'github.com/owner/name'],
  ['/srv/git/name.git', undefined],
  ['../name', undefined],
  ['', undefined],
])('the origin %s is called %s', (url, name) => {
  expect(nameOfOrigin(url)).toBe(name);
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) {
    list.push(item);
  }
  return list;
}
