import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { TidelineError } from '@tideline/shared/errors';
import { inCheckout } from './checkout.js';
import { runInOwnSession } from './own-session.js';
import type { ServerUrls } from './server-urls.js';

const run = promisify(execFile);
const servers = ['kafka', 'timescaledb', 'redis'];
const compose = ['compose', '--file', inCheckout('docker-compose.yml')];

/** The servers of docker-compose.yml that run. */
export async function runningContainers(): Promise<string[]> {
  const { stdout } = await run('docker', [...compose, 'ps', '--status', 'running', '--services']);
  const running = stdout.split('\n');
  return servers.filter((server) => running.includes(server));
}

/** Starts the servers of docker-compose.yml that do not run. Docker shows its progress. */
export async function startContainers(environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<ServerUrls> {
  const status = await runInOwnSession('docker', [...compose, 'up', '--detach', '--wait', ...servers], signal);
  if (status !== 0) {
    throw new TidelineError('configuration', 'docker compose could not start the servers; the lines above say why.');
  }
  const [postgres, redis, kafka] = [
    environment['TIDELINE_POSTGRES_PORT'] || '15432',
    environment['TIDELINE_REDIS_PORT'] || '16379',
    environment['TIDELINE_KAFKA_PORT'] || '19092',
  ];
  return {
    TIDELINE_DATABASE_URL: `postgres://tideline:tideline@127.0.0.1:${postgres}/tideline`,
    TIDELINE_REDIS_URL: `redis://127.0.0.1:${redis}`,
    TIDELINE_KAFKA_BROKERS: `127.0.0.1:${kafka}`,
  };
}

/** Stops all but those that ran `before`. */
export async function stopContainers(before: string[]): Promise<void> {
  const ours = servers.filter((server) => !before.includes(server));
  if (ours.length > 0) {
    await runInOwnSession('docker', [...compose, 'stop', ...ours]);
  }
}
