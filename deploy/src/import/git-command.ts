import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { TidelineError } from '@tideline/shared/errors';

const run = promisify(execFile);
const errorTextMax = 2_000;

/** What `git` prints, without the last line break. Throws `configuration` with git's own words where it fails. */
export async function git(repository: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('git', ['-C', repository, ...args]);
    return stdout.trimEnd();
  } catch (error) {
    throw gitFailed((error as { stderr?: string }).stderr || (error as Error).message, error);
  }
}

/**
 * What a `git` that prints NUL-separated fields prints, field by field as bytes, as they come: git waits while nobody
 * asks for more.
 */
export async function* gitFields(repository: string, args: string[], input: string): AsyncGenerator<Buffer> {
  const child = spawn('git', ['-C', repository, ...args], { stdio: 'pipe' });
  const ended = once(child, 'close') as Promise<[number | null]>;
  // Seen when it is waited for; until then it must not count as nobody's.
  ended.catch(() => undefined);
  let errorText = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errorText = (errorText + chunk.toString()).slice(0, errorTextMax);
  });
  // Git may end without having read it all, which its status tells better.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  try {
    yield* splitAtNul(child.stdout);
    const [status] = await ended;
    if (status !== 0) {
      throw gitFailed(errorText);
    }
  } finally {
    child.kill();
  }
}

async function* splitAtNul(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(0); at !== -1; at = chunk.indexOf(0, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, at)]);
      rest = [];
      from = at + 1;
    }
    rest.push(chunk.subarray(from));
  }
}

function gitFailed(text: string, cause?: unknown): TidelineError {
  return new TidelineError('configuration', `git: ${text.trim()}`, { cause });
}
