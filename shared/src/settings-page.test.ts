import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const folders = ['shared/src', 'services/ingest/src', 'services/fanout/src', 'services/feed-api/src', 'deploy/src'];

function read(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

/** Settings are the keys of schemas, in the files that read the environment. */
function settingsInCode(): string[] {
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => /(^|\/)(config|door-settings)\.ts$/.test(name))
      .map((name) => `${folder}/${name}`),
  );
  return files.flatMap((file) =>
    [...read(file).matchAll(/^ {2,4}(TIDELINE_[A-Z_]+|NODE_ENV): /gm)].map(([, name = '']) => name),
  );
}

test('the page of settings has every setting, and no other', () => {
  const rows = read('docs/operating.md')
    .split('\n')
    .filter((line) => /^\| `(TIDELINE_|NODE_ENV)/.test(line));
  const onPage = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name),
  );
  expect(onPage.length).toBeGreaterThan(20);
  expect(onPage.toSorted()).toEqual([...new Set(settingsInCode())].toSorted());
});
