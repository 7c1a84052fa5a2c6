import { TidelineError } from '@tideline/shared/errors';
import { runningContainers, startContainers, stopContainers } from '../servers/compose.js';
import { dockerAnswers } from '../servers/docker.js';
import { nativeStack, nativeStackFits } from '../servers/native-stack.js';
import { type ServerUrls, serverUrlsOf } from '../servers/server-urls.js';
import type { StartConfig } from './config.js';

export interface Servers {
  urls: ServerUrls;
  /** Stops what was started here, and nothing that ran before. */
  stop(): Promise<void>;
}

/**
 * Finds or starts the servers: those that the environment names; else, for root on Debian, the native stack; else
 * Docker's. The native stack comes first because it does not depend on whether an engine happens to run: a machine must
 * not find its data gone because of that. TIDELINE_START_SERVERS decides otherwise.
 */
export async function startServers(
  choice: StartConfig['servers'],
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Servers> {
  const urls = serverUrlsOf(environment);
  if (urls !== undefined) {
    return { urls, stop: () => Promise.resolve() };
  }
  return (choice ?? (await whatSuits())) === 'native' ? startNative(signal) : startCompose(environment, signal);
}

async function whatSuits(): Promise<'native' | 'containers'> {
  if (nativeStackFits()) {
    return 'native';
  }
  if (await dockerAnswers()) {
    return 'containers';
  }
  throw new TidelineError(
    'configuration',
    `There are no servers, and none can be started here. Any of these helps:
  - install Docker and start it
  - on a Debian machine, be root: then the servers run without containers
  - run Kafka, TimescaleDB and Redis your own way, and set TIDELINE_DATABASE_URL, TIDELINE_REDIS_URL and TIDELINE_KAFKA_BROKERS`,
  );
}

async function startNative(signal: AbortSignal): Promise<Servers> {
  const stack = nativeStack('dev');
  const ranBefore = await stack.isRunning();
  const stop = async () => {
    if (!ranBefore) {
      await stack.stop();
    }
  };
  return { urls: await orUndo(stack.start(signal), stop), stop };
}

async function startCompose(environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Servers> {
  const ranBefore = await runningContainers();
  const stop = () => stopContainers(ranBefore);
  return { urls: await orUndo(startContainers(environment, signal), stop), stop };
}

async function orUndo<T>(work: Promise<T>, undo: () => Promise<void>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await undo();
    throw error;
  }
}
