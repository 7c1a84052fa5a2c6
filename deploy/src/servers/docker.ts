import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const answerTimeoutMs = 5_000;

/** True where a Docker engine answers. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: answerTimeoutMs });
    return true;
  } catch {
    return false;
  }
}
