import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const checkout = fileURLToPath(new URL('../..', import.meta.url));
const door = join(checkout, 'deploy/bin/tideline.mjs');
const nobody = 'postgres://tideline:tideline@127.0.0.1:1/tideline';

interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

async function ended(command: Promise<{ stdout: string; stderr: string }>): Promise<Ended> {
  try {
    return { status: 0, ...(await command) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

function tideline(args: string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return ended(run(process.execPath, [door, ...args], { env: { ...process.env, ...environment } }));
}

test('npx finds it in a checkout, in a folder of it too, and asks no registry', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'tideline-npx-'));
  try {
    const env = { ...process.env, npm_config_cache: cache, npm_config_offline: 'true' };
    const { status, stdout } = await ended(run('npx', ['tideline', '--help'], { cwd: join(checkout, 'docs'), env }));
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^Usage: tideline COMMAND/)]);
  } finally {
    await rm(cache, { recursive: true });
  }
});

test.each<[string, string[], NodeJS.ProcessEnv, number, string]>([
  ['help', ['keys', 'list', '--help'], {}, 0, ''],
  ['no command', [], {}, 2, 'Usage: tideline'],
  ['an unknown command', ['key'], {}, 2, 'Did you mean keys?'],
  ['an unknown option', ['inbox', 'anna', '--jsn'], {}, 2, 'Did you mean --json?'],
  ['a wrong setting', ['verify'], { TIDELINE_REDIS_URL: 'localhost' }, 2, 'TIDELINE_REDIS_URL: Invalid URL'],
  ['what is not set up', ['keys', 'list'], { TIDELINE_DATABASE_URL: theDatabase('postgres') }, 2, 'tideline setup'],
  ['no such database', ['keys', 'list'], { TIDELINE_DATABASE_URL: theDatabase('never') }, 2, 'tideline setup'],
  ['a file that is refused', ['import', 'ndjson', door], {}, 1, 'line 1 is not JSON'],
  ['a database that is away', ['keys', 'list'], { TIDELINE_DATABASE_URL: nobody }, 4, '127.0.0.1:1/tideline does not'],
  [
    'a database that is away, of verify',
    ['verify'],
    { TIDELINE_DATABASE_URL: nobody },
    4,
    'The database does not answer',
  ],
])('%s ends with the status of the table, and a sentence', async (_what, args, environment, expected, sentence) => {
  const { status, stderr } = await tideline(args, environment);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/\n +at /);
  expect(status).toBe(expected);
});

function theDatabase(name: string): string {
  const url = new URL(process.env['TIDELINE_DATABASE_URL'] ?? nobody);
  url.pathname = `/${name}`;
  return url.href;
}
