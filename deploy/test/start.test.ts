import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '@tideline/testing/free-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSetUpConfig } from '../src/setup/config.js';
import { tearDown } from '../src/setup/tear-down.js';

const run = promisify(execFile);
const door = fileURLToPath(new URL('../run.mjs', import.meta.url));

let environment: NodeJS.ProcessEnv;
let starting: ChildProcess | undefined;

beforeEach(async () => {
  const name = `start-${randomBytes(6).toString('hex')}`;
  const url = new URL(readSetUpConfig().databaseUrl);
  url.pathname = `/${name}`;
  environment = {
    ...process.env,
    TIDELINE_DATABASE_URL: url.href,
    TIDELINE_NAMESPACE: name,
    TIDELINE_PARTITIONS: '3',
    TIDELINE_INGEST_PORT: String(await freePort()),
    TIDELINE_INGEST_OPERATIONS_PORT: String(await freePort()),
    TIDELINE_FANOUT_OPERATIONS_PORT: String(await freePort()),
    TIDELINE_FEED_API_PORT: String(await freePort()),
    TIDELINE_FEED_API_OPERATIONS_PORT: String(await freePort()),
  };
});

afterEach(async () => {
  if (starting?.exitCode === null) {
    starting.kill('SIGTERM');
    await once(starting, 'exit');
  }
  await tearDown(readSetUpConfig(environment));
});

/** Runs `npm start` without npm. Resolves with its output once it is ready or has ended. */
async function start(): Promise<{ child: ChildProcess; output: () => string }> {
  const child = spawn(process.execPath, [door, 'start'], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  starting = child;
  let output = '';
  await new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('/v1/feeds/home\n')) {
          resolve();
        }
      });
    }
    child.on('close', () => resolve());
  });
  return { child, output: () => output };
}

const hasCurl = spawnSync('curl', ['--version']).status === 0;

test.skipIf(!hasCurl)(
  'the three lines that a start prints work when pasted, and Ctrl-C stops everything cleanly',
  async () => {
    const { child, output } = await start();
    const lines = output()
      .split('\n')
      .filter((line) => /^ {2}(sleep 1; )?curl /.test(line));
    expect(lines).toHaveLength(3);

    const { stdout } = await run('bash', ['-c', lines.join('\n')]);

    expect(stdout).toContain('"following":true');
    expect(stdout).toMatch(/"items":\[\{.*"actorName":"nico".*"objectTitle":"Hello"/);

    child.kill('SIGINT');
    const [status] = (await once(child, 'close')) as [number | null];
    expect([status, output().trim().split('\n').at(-1)]).toEqual([0, 'Stopped.']);
    expect(output()).toMatch(/ingest {3}\| .* ingest has stopped/);
    expect(output()).toMatch(/fanout {3}\| .* fanout has stopped/);
    expect(output()).toMatch(/feed-api \| .* feed-api has stopped/);
  },
);

test('a service that cannot start stops the others, and its last lines come last', async () => {
  environment['TIDELINE_PARTITION_CONCURRENCY'] = 'all';

  const { child, output } = await start();

  expect(child.exitCode).toBe(1);
  expect(output()).toContain('ended with status 1. Its last lines:');
  expect(output()).toContain('TIDELINE_PARTITION_CONCURRENCY');
});
