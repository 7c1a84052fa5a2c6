import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inCheckout } from '@tideline/deploy/servers/checkout';
import { dockerAnswers } from '@tideline/deploy/servers/docker';
import { nativeStackFits } from '@tideline/deploy/servers/native-stack';
import { freePort } from './free-port.js';
import { waitUntil } from './wait-until.js';

const run = promisify(execFile);
const script = inCheckout('deploy/native/run-prometheus.sh');
const image = 'prom/prometheus:v2.53.3';
/** The root file system that the binary is in may have to be made first. */
const startTimeoutMs = 300_000;

/** One sample of an instant query. */
export interface PrometheusSample {
  labels: Record<string, string>;
  value: number;
}

/** A real Prometheus of a test's own, which reads the given services. */
export interface PrometheusServer {
  /** Evaluates an expression now. Throws what Prometheus says against it. */
  query(expr: string): Promise<PrometheusSample[]>;
  /** Has `promtool` look at a configuration file of the checkout. Resolves with what it prints, throws where it objects. */
  checkConfig(path: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts a Prometheus that reads each job's `/metrics` once a second, all on this machine. Where it cannot have one it
 * returns why: then a test has to be skipped.
 */
export async function startPrometheus(ports: Record<string, number>): Promise<PrometheusServer | string> {
  const forced = process.env['TIDELINE_TEST_SERVERS'] ?? '';
  const container = forced === 'containers' || (forced === '' && (await dockerAnswers()));
  if (!container && !nativeStackFits()) {
    return 'this needs Prometheus: a Docker engine that answers, or root on Debian, where the native stack has it';
  }
  const port = await freePort();
  const config = configFor(ports);
  const started = container ? await startContainer(port, config) : await startNative(port, config);
  return typeof started === 'string' ? started : { ...started, query: (expr) => query(port, expr) };
}

function configFor(ports: Record<string, number>): string {
  const jobs = Object.entries(ports).map(
    ([job, port]) => `  - job_name: ${job}\n    static_configs: [{ targets: ['127.0.0.1:${port}'] }]\n`,
  );
  return `global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n${jobs.join('')}`;
}

type Started = Omit<PrometheusServer, 'query'>;

/** A container on the network of this machine, because the services listen on the loopback address alone. */
async function startContainer(port: number, config: string): Promise<Started> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(image)
    .withNetworkMode('host')
    .withCopyContentToContainer([{ content: config, target: '/etc/prometheus/test.yml' }])
    .withCommand(['--config.file=/etc/prometheus/test.yml', `--web.listen-address=127.0.0.1:${port}`])
    .withWaitStrategy(Wait.forLogMessage('Server is ready to receive web requests'))
    .withStartupTimeout(startTimeoutMs)
    .start();
  return {
    async checkConfig(path) {
      const target = '/tmp/checked.yml';
      await container.copyContentToContainer([{ content: await readFile(inCheckout(path), 'utf8'), target }]);
      const { exitCode, output } = await container.exec(['promtool', 'check', 'config', target]);
      if (exitCode !== 0) {
        throw new Error(output);
      }
      return output;
    },
    async stop() {
      await container.stop();
    },
  };
}

/** Debian's binary, in the root file system of the native stack. Returns what that misses on this machine, if anything. */
async function startNative(port: number, config: string): Promise<Started | string> {
  const folder = await mkdtemp(join(tmpdir(), 'tideline-prometheus-'));
  await writeFile(join(folder, 'prometheus.yml'), config);
  const child = spawn(
    script,
    [folder, 'prometheus', '--config.file=/data/prometheus.yml', '--storage.tsdb.path=/data/series'].concat(
      `--web.listen-address=127.0.0.1:${port}`,
    ),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const output: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text));
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await waitUntil('Prometheus is ready', () => isReady(port, child), startTimeoutMs);
  } catch (error) {
    await stop();
    const said = output.join('');
    if (said.includes('the native stack cannot start here')) {
      return said;
    }
    throw new Error(`Prometheus did not start: ${said}`, { cause: error });
  }
  return {
    async checkConfig(path) {
      const checked = await mkdtemp(join(tmpdir(), 'tideline-promtool-'));
      try {
        await copyFile(inCheckout(path), join(checked, 'checked.yml'));
        return (await run(script, [checked, 'promtool', 'check', 'config', '/data/checked.yml'])).stdout;
      } finally {
        await rm(checked, { recursive: true, force: true });
      }
    },
    stop,
  };
}

async function isReady(port: number, child: ChildProcess): Promise<boolean> {
  if (hasEnded(child)) {
    throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
  }
  return fetch(`http://127.0.0.1:${port}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

interface QueryAnswer {
  status: string;
  error?: string;
  data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

async function query(port: number, expr: string): Promise<PrometheusSample[]> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: expr }),
  });
  const { status, error, data } = (await response.json()) as QueryAnswer;
  if (status !== 'success' || data === undefined) {
    throw new Error(`${expr}: ${error ?? status}`);
  }
  return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}
