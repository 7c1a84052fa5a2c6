import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { inCheckout } from './checkout.js';

/**
 * Runs a command that shows its own progress, and returns its exit status. It gets a session of its own: Ctrl-C is for
 * us to handle, and must not cut it off half way. `signal` does cut it off, with all that it runs, and then this throws.
 */
export async function runInOwnSession(command: string, args: string[], signal?: AbortSignal): Promise<number | null> {
  signal?.throwIfAborted();
  const child = spawn(command, args, { cwd: inCheckout('.'), stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const cutOff = () => {
    if (child.pid !== undefined) {
      process.kill(-child.pid, 'SIGTERM');
    }
  };
  signal?.addEventListener('abort', cutOff);
  try {
    const [status] = (await once(child, 'exit')) as [number | null];
    signal?.throwIfAborted();
    return status;
  } finally {
    signal?.removeEventListener('abort', cutOff);
  }
}
