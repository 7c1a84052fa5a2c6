import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { TidelineError } from '@tideline/shared/errors';
import { inCheckout } from './checkout.js';
import { type ServerUrls, serverUrlsOf } from './server-urls.js';

const run = promisify(execFile);
const script = inCheckout('deploy/native/stack.sh');

/** The servers without containers. An instance has servers, ports and data of its own; its script says what it does. */
export interface NativeStack {
  /** Starts what does not run. The script shows its progress, and says what this machine lacks. */
  start(): Promise<ServerUrls>;
  isRunning(): Promise<boolean>;
  stop(): Promise<void>;
}

export function nativeStack(instance: string): NativeStack {
  return {
    async start() {
      await runVisibly('start', instance);
      return urlsOf(instance);
    },
    async isRunning() {
      try {
        await run(script, ['status', instance]);
        return true;
      } catch {
        return false;
      }
    },
    async stop() {
      await runVisibly('stop', instance);
    },
  };
}

/** True where the native stack is made for this machine; whether all it needs is installed, only its start knows. */
export function nativeStackFits(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

async function runVisibly(command: 'start' | 'stop', instance: string): Promise<void> {
  // A session of its own: Ctrl-C is for us to handle, and must not cut the script off half way.
  const child = spawn(script, [command, instance], { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) {
    throw new TidelineError('configuration', `The native stack could not ${command}; the lines above say why.`);
  }
}

async function urlsOf(instance: string): Promise<ServerUrls> {
  const { stdout } = await run(script, ['env', instance]);
  const variables = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/=(.*)/s).slice(0, 2));
  const urls = serverUrlsOf(Object.fromEntries(variables));
  if (urls === undefined) {
    throw new Error(`${script} env ${instance} printed no URLs`);
  }
  return urls;
}
