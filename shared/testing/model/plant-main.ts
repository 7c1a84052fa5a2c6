import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { inCheckout } from '@tideline/deploy/servers/checkout';
import { plant, plantedBugs } from './planted-bugs.js';

/**
 * `npm run test:planted`: plants each bug in a copy of this checkout and runs the model there until it is caught.
 * Working copies are never touched.
 */

const run = promisify(execFile);
const copy = inCheckout('.tideline/planted');
const runsDefault = 600;
const listingMaxBytes = 16 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: String(runsDefault) },
    seed: { type: 'string', default: '1' },
    /** Part of the name of a bug; all of them unless given. */
    bug: { type: 'string', default: '' },
  },
});

let passed = 0;
let failed = 0;
for (const bug of plantedBugs.filter(({ name }) => name.includes(values.bug))) {
  process.stdout.write(`\n=== ${bug.name}\n`);
  await copyCheckout();
  await plant(bug, copy);
  const startedAt = performance.now();
  const caught = await modelFails();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(`=== ${bug.name}: ${caught ? 'caught' : 'NOT CAUGHT'}, ${seconds} s\n`);
  passed += caught ? 1 : 0;
  failed += caught ? 0 : 1;
}
await rm(copy, { recursive: true, force: true });
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

async function copyCheckout(): Promise<void> {
  if (existsSync(join(copy, 'deploy/native/stack.sh'))) {
    // Servers that an earlier run left there would be in the way.
    await run(join(copy, 'deploy/native/stack.sh'), ['erase', 'faults']);
  }
  await rm(copy, { recursive: true, force: true });
  const { stdout } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: inCheckout('.'),
    maxBuffer: listingMaxBytes,
  });
  for (const file of stdout.trim().split('\n')) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await cp(inCheckout(file), join(copy, file));
  }
  const { stdout: folders } = await run('find', ['.', '-name', 'node_modules', '-prune', '-not', '-path', './.*/*'], {
    cwd: inCheckout('.'),
  });
  for (const folder of folders.trim().split('\n')) {
    // Links within it are relative, so that the packages of this repository are those of the copy.
    await run('cp', ['--archive', '--link', inCheckout(folder), join(copy, folder)]);
  }
}

/** Only a history that failed counts: a model that cannot be run has caught nothing. */
async function modelFails(): Promise<boolean> {
  const args = ['deploy/run.mjs', 'test:model', '--bail', '--runs', values.runs, '--seed', values.seed];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  await once(child, 'close');
  return Number(/^\d+ passed, (\d+) failed/m.exec(output)?.[1] ?? 0) > 0;
}
