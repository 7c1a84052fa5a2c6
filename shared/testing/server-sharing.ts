import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { inCheckout } from '@tideline/deploy/servers/checkout';
import type { NativeStack } from '@tideline/deploy/servers/native-stack';
import type { TestServers } from './test-servers.js';

const folder = inCheckout('.tideline/test-runs');
/** Every run holds it shared while it uses the servers; who wants to stop them needs it alone. */
const lockFile = `${folder}/lock`;
/** There while the servers run because tests started them. What somebody started by hand is never stopped. */
const startedMarker = `${folder}/started`;

/** Starts the servers unless they run. The last of the runs that use them at the same time stops them. */
export async function shareNativeStack(stack: NativeStack, keep: boolean): Promise<TestServers> {
  await mkdir(folder, { recursive: true });
  const lock = await holdShared();
  try {
    if (!(await stack.isRunning())) {
      await writeFile(startedMarker, '');
    }
    const urls = await stack.start();
    return {
      urls,
      async release() {
        await lock.release();
        if (!keep && (await exists(startedMarker))) {
          await unlessInUse(async () => {
            await stack.stop();
            await rm(startedMarker, { force: true });
          });
        }
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

export interface Lock {
  release(): Promise<void>;
}

/** Waits until nobody else has `name`, and then has it alone. */
export async function holdAlone(name: string): Promise<Lock> {
  await mkdir(folder, { recursive: true });
  return hold(`${folder}/${name}.lock`, '--exclusive');
}

/** The lock is a process's that ends when this one does, whatever way that is: nothing stale is ever left. */
async function holdShared(): Promise<Lock> {
  return hold(lockFile, '--shared');
}

async function unlessInUse(work: () => Promise<void>): Promise<void> {
  const lock = await hold(lockFile, '--exclusive', '--nonblock').catch(() => undefined);
  if (lock === undefined) {
    return;
  }
  try {
    await work();
  } finally {
    await lock.release();
  }
}

async function hold(file: string, ...options: string[]): Promise<Lock> {
  // `cat` ends when its standard input does. It says first that the lock is there.
  const child = spawn('flock', [...options, file, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(child, 'exit');
  const held = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!held) {
    throw new Error(`The lock ${file} cannot be taken.`);
  }
  return {
    async release() {
      child.stdin.end();
      await ended;
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
