// The door of `npm start`, `npm test`, `npm run check`, `npm run import`, `npm run seed` and, as `npx tideline COMMAND` or
// `npm run tideline -- COMMAND`, of all the operator's tools. It runs before anything is installed, so it is plain Node:
// it sees to the dependencies, then hands over to the command proper and passes on signals and status.
// usage: node deploy/run.mjs start|test|import|seed|tideline|check [ARGUMENT...]
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const nodeVersionMin = [20, 19];
const installPollMs = 200;
const parentPollMs = 500;
/** What it prints goes to standard error. */
const quietly = ['inherit', 2, 2];

const root = fileURLToPath(new URL('..', import.meta.url));
const typescript = ['--import', 'tsx', '--conditions=tideline-source'];
const commands = {
  start: [...typescript, 'deploy/src/start/main.ts'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  'test:model': [...typescript, 'shared/testing/model/main.ts'],
  'test:planted': [...typescript, 'shared/testing/model/plant-main.ts'],
  import: [...typescript, 'deploy/src/cli/main.ts', 'import'],
  seed: [...typescript, 'deploy/src/cli/main.ts', 'seed'],
  tideline: [...typescript, 'deploy/src/cli/main.ts'],
  check: [...typescript, 'deploy/src/check/main.ts'],
};

const [name, ...args] = process.argv.slice(2);
if (!Object.hasOwn(commands, name ?? '')) {
  fail(`usage: node deploy/run.mjs ${Object.keys(commands).join('|')} [ARGUMENT...]`);
}
requireNode();
await ensureDependencies();
// Commands run in the checkout; paths among their arguments are relative to where the caller is. npm says it like this.
process.env.INIT_CWD ??= process.cwd();
process.exitCode = await run(process.execPath, [...commands[name], ...args]);

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [majorMin, minorMin] = nodeVersionMin;
  if (major < majorMin || (major === majorMin && minor < minorMin)) {
    fail(`Tideline needs Node ${nodeVersionMin.join('.')} or newer; this is ${process.versions.node}.`);
  }
}

/** Installs the dependencies where they are missing or not those of package-lock.json. */
async function ensureDependencies() {
  if (dependenciesAreFresh()) {
    return;
  }
  const release = await lockInstallation();
  try {
    // Another command may have installed them meanwhile.
    if (!dependenciesAreFresh()) {
      // On standard error, as all that npm says meanwhile: standard output is the command's.
      console.error(
        'Installing the dependencies: they are missing or older than package-lock.json. Typically 10 to 60 s.',
      );
      const npm = process.env.npm_execpath;
      const status = await (npm === undefined
        ? run('npm', ['ci'], quietly)
        : run(process.execPath, [npm, 'ci'], quietly));
      if (status !== 0) {
        fail('The dependencies could not be installed; the lines above say why.', status);
      }
    }
  } finally {
    release();
  }
}

/** npm keeps a lock file of what it installed. Being compared with that, an install by hand counts too. */
function dependenciesAreFresh() {
  const wanted = readJson('package-lock.json');
  const installed = readJson('node_modules/.package-lock.json');
  return (
    installed !== undefined &&
    Object.entries(wanted.packages).every(([path, entry]) => {
      const found = installed.packages[path];
      // What is optional may not be for this machine, and workspaces themselves have no place under node_modules.
      return found === undefined
        ? !path.includes('node_modules/') || entry.optional || entry.devOptional
        : found.version === entry.version && found.integrity === entry.integrity;
    })
  );
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(`${root}${path}`, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

/** One installation at a time. A lock whose process has ended does not count. */
async function lockInstallation() {
  const lock = `${root}.tideline/install.lock`;
  mkdirSync(`${root}.tideline`, { recursive: true });
  for (let waiting = false; ; waiting = true) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') {
        throw error;
      }
    }
    const holder = readHolder(lock);
    if (holder !== undefined && !isRunning(holder)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!waiting) {
      console.error('Another command is installing the dependencies: waiting for it.');
    }
    await delay(installPollMs);
  }
}

/** Undefined while the lock is being written or has gone already. */
function readHolder(lock) {
  try {
    return Number(readFileSync(lock, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs a command in the checkout and passes signals on to it. Returns its exit status, 128 + n where signal n ended it. */
function run(command, commandArguments, stdio = 'inherit') {
  return new Promise((resolve) => {
    const child = spawn(command, commandArguments, { cwd: root, stdio });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => child.kill(signal));
    }
    stopWithNpm(child);
    child.on('error', (error) => fail(`${command} cannot be run: ${error.message}`));
    child.on('exit', (status, signal) => resolve(status ?? 128 + constants.signals[signal]));
  });
}

/** npm puts a shell between itself and us, which ends when npm is told to and tells nobody. */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) {
    return;
  }
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) {
      clearInterval(watch);
      child.kill('SIGTERM');
    }
  }, parentPollMs);
  watch.unref();
}

function fail(message, status = 1) {
  console.error(message);
  process.exit(status);
}
