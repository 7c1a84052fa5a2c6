import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { TidelineError } from '@tideline/shared/errors';
import { inCheckout } from './checkout.js';
import { runInOwnSession } from './own-session.js';
import { type ServerUrls, serverUrlsOf } from './server-urls.js';

const run = promisify(execFile);
const script = inCheckout('deploy/native/stack.sh');

/** The servers without containers. An instance has servers, ports and data of its own; its script says what it does. */
export interface NativeStack {
  /**
   * Starts what does not run. The script shows its progress, and says what this machine lacks. Where `signal` cuts it
   * short, some servers may run.
   */
  start(signal?: AbortSignal): Promise<ServerUrls>;
  isRunning(): Promise<boolean>;
  stop(): Promise<void>;
}

export function nativeStack(instance: string): NativeStack {
  return {
    async start(signal) {
      await runVisibly('start', instance, signal);
      return nativeStackUrls(instance);
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

/** True where the native stack is made for this machine: root on Debian. What else it needs, its start says. */
export function nativeStackFits(): boolean {
  return process.getuid?.() === 0 && osRelease().includes('\nID=debian\n');
}

function osRelease(): string {
  try {
    return `\n${readFileSync('/etc/os-release', 'utf8')}\n`;
  } catch {
    return '';
  }
}

async function runVisibly(command: 'start' | 'stop', instance: string, signal?: AbortSignal): Promise<void> {
  const status = await runInOwnSession(script, [command, instance], signal);
  if (status !== 0) {
    throw new TidelineError('configuration', `The native stack could not ${command}; the lines above say why.`);
  }
}

/** Where an instance that runs is. */
export async function nativeStackUrls(instance: string): Promise<ServerUrls> {
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
