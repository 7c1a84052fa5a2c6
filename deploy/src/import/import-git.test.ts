import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ActivityInput } from '@tideline/shared/activity';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type GitSource, importGit } from './import-git.js';
import type { ImportTarget } from './import-target.js';

let folder: string;
let repository: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tideline-import-'));
  repository = join(folder, 'tides');
  execFileSync('git', ['init', '--quiet', '--initial-branch=main', repository]);
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Adds commits to the branch, a second apart, by authors that take turns. */
function addCommits(from: number, to: number, options: { name?: string } = {}): void {
  const stream: string[] = [];
  for (let i = from; i < to; i += 1) {
    const person = `${options.name ?? `Author ${i % 2}`} <author${i % 2}@example.org> ${1_500_000_000 + i} +0000`;
    const parent = i === from && from > 0 ? 'from refs/heads/main^0\n' : '';
    stream.push(`commit refs/heads/main\ncommitter ${person}\ndata ${`commit ${i}`.length}\ncommit ${i}\n${parent}`);
  }
  execFileSync('git', ['-C', repository, 'fast-import', '--quiet', '--date-format=raw'], { input: stream.join('') });
}

/** A target that keeps what it was sent. `stopAfter` arrays it asks to stop. */
function recordingTarget(options: { stopAfter?: number; gone?: boolean } = {}) {
  const posted: string[] = [];
  const names = new Map<string, string>();
  const follows: { followerId: string; followeeId: string }[] = [];
  const lines: string[] = [];
  const controller = new AbortController();
  let arrays = 0;
  const target: ImportTarget = {
    ingest: {
      send(method, path, body) {
        if (method === 'PUT') {
          names.set(path, (JSON.parse(body) as { name: string }).name);
        } else if (path === '/v1/follows') {
          follows.push(...(JSON.parse(body) as typeof follows));
        } else {
          const items = JSON.parse(body) as ActivityInput[];
          posted.push(...items.map(({ objectTitle }) => objectTitle ?? ''));
          arrays += 1;
          if (arrays === options.stopAfter) {
            controller.abort();
          }
          return Promise.resolve({ items: items.map((_, index) => ({ id: `id-${arrays}-${index}` })) });
        }
        return Promise.resolve({});
      },
    },
    ingestUrl: 'http://ingest',
    hasActivity: () => Promise.resolve(options.gone !== true),
    stateFolder: join(folder, 'state'),
    signal: controller.signal,
    report: (line) => lines.push(line),
  };
  return { target, posted, names, follows, lines };
}

function source(overrides: Partial<GitSource> = {}): GitSource {
  return { path: repository, name: undefined, revision: { rev: 'HEAD' }, followers: [], again: false, ...overrides };
}

function titles(newest: number, oldest: number): string[] {
  return Array.from({ length: newest - oldest + 1 }, (_, index) => `commit ${newest - index}`);
}

test('a history is posted newest first, and a second import posts nothing', async () => {
  addCommits(0, 3);
  const first = recordingTarget();
  await importGit(source(), first.target);

  expect(first.posted).toEqual(titles(2, 0));
  expect(first.lines).toEqual(['Imported 3 commits by 2 authors of tides.']);

  const second = recordingTarget();
  await importGit(source(), second.target);

  expect([second.posted, second.names.size, second.lines]).toEqual([[], 0, ['Nothing new in tides.']]);
});

test('later commits alone are posted later, and authors get their newest names', async () => {
  addCommits(0, 4, { name: 'Old' });
  await importGit(source(), recordingTarget().target);
  addCommits(4, 5, { name: 'Newer' });
  addCommits(5, 7, { name: 'Newest' });

  const { target, posted, names } = recordingTarget();
  await importGit(source(), target);

  expect(posted).toEqual(titles(6, 4));
  expect([...names]).toEqual([
    ['/v1/users/author0%3Aexample.org', 'Newest'],
    ['/v1/users/author1%3Aexample.org', 'Newest'],
  ]);
});

test('an import that was stopped goes on after what was taken', async () => {
  addCommits(0, 1_200);
  const stopped = recordingTarget({ stopAfter: 1 });
  await expect(importGit(source(), stopped.target)).rejects.toMatchObject({ name: 'AbortError' });
  expect(stopped.posted).toEqual(titles(1_199, 700));

  const rest = recordingTarget();
  await importGit(source(), rest.target);

  expect(rest.lines[0]).toBe('Going on after 500 of 1200 commits.');
  expect(rest.posted).toEqual(titles(699, 0));
});

test('everything is posted again where the target has lost it, or when asked to', async () => {
  addCommits(0, 3);
  await importGit(source(), recordingTarget().target);

  const gone = recordingTarget({ gone: true });
  await importGit(source(), gone.target);
  const again = recordingTarget();
  await importGit(source({ again: true }), again.target);

  expect(gone.posted).toEqual(titles(2, 0));
  expect(again.posted).toEqual(titles(2, 0));
});

test('followers follow every author but themselves', async () => {
  addCommits(0, 2);
  const { target, follows } = recordingTarget();

  await importGit(source({ followers: ['1', 'author0:example.org'] }), target);

  expect(follows).toEqual([
    { followerId: '1', followeeId: 'author1:example.org' },
    { followerId: '1', followeeId: 'author0:example.org' },
    { followerId: 'author0:example.org', followeeId: 'author1:example.org' },
  ]);
});
