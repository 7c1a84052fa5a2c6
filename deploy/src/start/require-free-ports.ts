import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { TidelineError } from '@tideline/shared/errors';
import { listen } from '@tideline/shared/listen';
import { inCheckout } from '../servers/checkout.js';
import type { ServiceConfig } from './config.js';

const run = promisify(execFile);

/** Throws `configuration` where a service could not listen: which port, who has it, and what to do. */
export async function requireFreePorts(host: string, services: ServiceConfig[]): Promise<void> {
  const ports = services.flatMap(({ name, ports }) => ports.map((each) => ({ name, ...each })));
  const sentences = await Promise.all(
    ports.map(async ({ name, port, variable }) =>
      (await isFree(host, port))
        ? []
        : [
            `Port ${port}, for ${name}, is taken by ${await ownerOf(port)}: stop that, or set ${variable} to a free port.`,
          ],
    ),
  );
  const taken = sentences.flat();
  if (taken.length > 0) {
    throw new TidelineError('configuration', [...taken, 'Nothing was started.'].join('\n'));
  }
}

async function isFree(host: string, port: number): Promise<boolean> {
  try {
    const { close } = await listen(createServer(), host, port);
    await close();
    return true;
  } catch {
    return false;
  }
}

/** The native stack knows how to find the process, on Linux. */
async function ownerOf(port: number): Promise<string> {
  const script = '. "$1"; port_taken "$2" && port_owner "$2"';
  try {
    const { stdout } = await run('bash', ['-c', script, 'bash', inCheckout('deploy/native/port.sh'), String(port)]);
    return stdout;
  } catch {
    return 'another process';
  }
}
