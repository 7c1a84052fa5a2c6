import { listenForStop, type StopRequests } from '../cli/stop-requests.js';
import { readSetUpConfig } from '../setup/config.js';
import { setUp } from '../setup/set-up.js';
import { readStartConfig, type StartConfig } from './config.js';
import { requireFreePorts } from './require-free-ports.js';
import { type Output, runServices } from './run-services.js';
import { sayReady } from './say-ready.js';
import { startServers } from './start-servers.js';
import { step } from './steps.js';

export const exitStatus = { stopped: 0, failed: 1, killed: 130 };

const output: Output = {
  colours: process.stdout.isTTY && !process.env['NO_COLOR'],
  write: (line) => console.log(line),
};

/** Everything a newcomer needs to see Tideline work: servers, set-up with demo data, the three services. Until Ctrl-C. */
export async function start(environment: NodeJS.ProcessEnv): Promise<void> {
  const startedAt = performance.now();
  const config = readStartConfig(environment);
  const requests = listenForStop();
  requests.kill.addEventListener('abort', leaveAtOnce);
  await requireFreePorts(config.listenHost, config.services);
  const servers = await step('Servers', () => startServers(config.servers, environment, requests.stop));
  try {
    const demo = { ...environment, ...servers.urls, TIDELINE_DEMO: '1' };
    await step('Set-up', () => setUp(readSetUpConfig(demo), (line) => console.log(`  ${line}`)));
    await serve(config, demo, requests, () => sayReady(config, startedAt));
  } finally {
    await servers.stop();
  }
}

async function serve(
  config: StartConfig,
  environment: NodeJS.ProcessEnv,
  requests: StopRequests,
  onReady: () => void,
): Promise<void> {
  requests.stop.throwIfAborted();
  const services = runServices(config.services, config.reachableHost, environment, output);
  const unwanted = Promise.race([services.failure, rejectOn(requests.stop)]);
  requests.kill.addEventListener('abort', () => services.kill());
  try {
    await step('Services', () => Promise.race([services.ready(), unwanted]));
    onReady();
    await unwanted;
  } finally {
    console.log('Stopping the services: they finish what they have accepted, in 20 s at most.');
    await services.stop();
  }
}

function leaveAtOnce(): void {
  console.log('Killed. Servers that were started may still run: deploy/native/stack.sh stop, or docker compose stop.');
  // After the other listeners, which kill the services.
  setImmediate(() => process.exit(exitStatus.killed));
}

async function rejectOn(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  throw signal.reason;
}
