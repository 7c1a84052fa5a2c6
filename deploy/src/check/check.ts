import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { inCheckout } from '../servers/checkout.js';

/** Scripts of package.json, the fast ones first. */
const staticChecks = ['check:types', 'check:lint', 'check:boundaries', 'check:dead-code'];
const tests = 'test';

const titleWidth = 18;

interface Outcome {
  passed: number;
  failed: number;
}

/**
 * Runs everything that continuous integration checks, one after the other, and goes on after a failure: whoever waited
 * wants to know all of it. Shows the output of what failed. Resolves to whether all passed.
 */
export async function check(options: { tests: boolean }, signal: AbortSignal): Promise<boolean> {
  const total: Outcome = { passed: 0, failed: 0 };
  for (const script of options.tests ? [...staticChecks, tests] : staticChecks) {
    const outcome = await runScript(script, signal);
    total.passed += outcome.passed;
    total.failed += outcome.failed;
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0;
}

async function runScript(script: string, signal: AbortSignal): Promise<Outcome> {
  const startedAt = performance.now();
  process.stdout.write(script.padEnd(titleWidth));
  const { ok, output } = await run(script);
  signal.throwIfAborted();
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`);
  if (!ok) {
    console.log(output);
  }
  const counted = script === tests ? countsOf(output) : undefined;
  const { passed, failed } = counted ?? { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
  // Tests can fail without a test that failed: a process that crashed, a file that could not be found.
  return { passed, failed: ok ? failed : Math.max(failed, 1) };
}

async function run(script: string): Promise<{ ok: boolean; output: string }> {
  const npm = process.env['npm_execpath'];
  const [command, ...args] = npm === undefined ? ['npm'] : [process.execPath, npm];
  const child = spawn(command ?? 'npm', [...args, 'run', '--silent', script], {
    cwd: inCheckout('.'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { ok: status === 0, output };
}

/** The last line that says how many tests passed and failed. */
function countsOf(output: string): Outcome | undefined {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed/gm)].at(-1);
  return last === undefined ? undefined : { passed: Number(last[1]), failed: Number(last[2]) };
}
