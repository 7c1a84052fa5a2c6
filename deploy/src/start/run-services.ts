import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { TidelineError } from '@tideline/shared/errors';
import { inCheckout } from '../servers/checkout.js';
import type { ServiceConfig } from './config.js';
import { type ReadableLog, readableLog } from './readable-log.js';

/** Services end within 20 s by themselves; one that does not is killed. */
const stopTimeoutMs = 22_000;
const readyPollMs = 50;
const readyTimeoutMs = 60_000;
const answerTimeoutMs = 2_000;

const colours = { ingest: 'cyan', fanout: 'magenta', 'feed-api': 'green' } as const;

export interface Output {
  colours: boolean;
  write(line: string): void;
}

export interface RunningServices {
  /** Resolves once every service says that it can do its job. */
  ready(): Promise<void>;
  /** Rejects when one of them ends by itself; never resolves. */
  failure: Promise<never>;
  stop(): Promise<void>;
  kill(): void;
}

interface RunningService {
  config: ServiceConfig;
  process: ChildProcess;
  log: ReadableLog;
  ended: Promise<string>;
}

/** Starts the services as processes of their own. `host` is where their operations ports can be reached. */
export function runServices(
  configs: ServiceConfig[],
  host: string,
  environment: NodeJS.ProcessEnv,
  output: Output,
): RunningServices {
  const services = configs.map((config) => runService(config, environment, output));
  let stopping = false;
  const failure = Promise.race(
    services.map(async (service) => {
      const how = await service.ended;
      return stopping ? forever() : Promise.reject(whyItEnded(service, how));
    }),
  );
  // Whoever waits for it sees it; nobody does while the services stop.
  failure.catch(() => undefined);
  return {
    ready: async () => {
      await Promise.all(services.map((service) => waitUntilReady(service, host)));
    },
    failure,
    async stop() {
      stopping = true;
      await Promise.all(services.map((service) => stopService(service, output)));
    },
    kill() {
      for (const service of services) {
        service.process.kill('SIGKILL');
      }
    },
  };
}

function runService(config: ServiceConfig, environment: NodeJS.ProcessEnv, output: Output): RunningService {
  const main = inCheckout(`services/${config.name}/src/main.ts`);
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=tideline-source', main], {
    cwd: inCheckout('.'),
    env: { ...environment, ...config.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own: Ctrl-C is for us to handle, in order.
    detached: true,
  });
  const log = readableLog(config.name, colours[config.name], output);
  log.show(child.stdout);
  log.show(child.stderr);
  // `close`, not `exit`: its last words have been read by then.
  const ended = once(child, 'close').then(([status, signal]) =>
    signal === null ? `ended with status ${String(status)}` : `was ended by ${String(signal)}`,
  );
  return { config, process: child, log, ended };
}

function whyItEnded({ config, log }: RunningService, how: string): TidelineError {
  return new TidelineError('unavailable', [`${config.name} ${how}. Its last lines:`, ...log.lastLines()].join('\n'));
}

async function waitUntilReady({ config }: RunningService, host: string): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    const reason = await notReadyBecause(`http://${host}:${config.operationsPort}/readyz`);
    if (reason === undefined) {
      return;
    }
    if (performance.now() > deadline) {
      throw new TidelineError(
        'unavailable',
        `${config.name} was not ready within ${readyTimeoutMs / 1000} s: ${reason}.`,
      );
    }
    await delay(readyPollMs);
  }
}

async function notReadyBecause(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) });
    return response.ok ? undefined : ((await response.json()) as { reason: string }).reason;
  } catch {
    return 'it does not answer';
  }
}

async function stopService({ config, process: child, ended }: RunningService, output: Output): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => {
    output.write(`${config.name} does not end: killing it`);
    child.kill('SIGKILL');
  }, stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
