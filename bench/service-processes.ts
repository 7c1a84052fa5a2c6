import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tideline/testing/free-port';
import { type MetricsPage, readMetrics } from '@tideline/testing/metrics-page';
import { waitUntil } from '@tideline/testing/wait-until';
import type { Installation } from './installation.js';
import { resultsFolder } from './results.js';

export type ServiceName = 'ingest' | 'fanout' | 'feed-api';

interface Ports {
  http: number;
  operations: number;
}

/** One service as a process of its own, as in production, so that it does not share an event loop with the load. */
export class ServiceProcess {
  readonly ports: Ports;
  readonly #name: ServiceName;
  readonly #child: ChildProcess;
  #output = '';

  private constructor(name: ServiceName, ports: Ports, installation: Installation) {
    this.#name = name;
    this.ports = ports;
    const main = fileURLToPath(new URL(`../services/${name}/src/main.ts`, import.meta.url));
    this.#child = spawn(
      process.execPath,
      [...nodeFlags(name), '--conditions=tideline-source', '--import', 'tsx', main],
      {
        env: {
          ...process.env,
          ...installation,
          TIDELINE_LISTEN_HOST: '127.0.0.1',
          TIDELINE_HTTP_PORT: String(ports.http),
          TIDELINE_OPERATIONS_PORT: String(ports.operations),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
  }

  /** Resolves when the service says that it is ready. On free ports unless given. */
  static async start(name: ServiceName, installation: Installation, ports?: Ports): Promise<ServiceProcess> {
    const started = new ServiceProcess(name, ports ?? (await freePorts()), installation);
    await waitUntil(`${name} is ready`, () => started.#isReady());
    return started;
  }

  /** When it first logged this message, in Unix milliseconds. */
  loggedAt(message: string): number | undefined {
    const line = this.#output.split('\n').find((each) => each.includes(`"msg":"${message}"`));
    return line === undefined ? undefined : Number(/"time":(\d+)/.exec(line)?.[1]);
  }

  metrics(): Promise<MetricsPage> {
    return readMetrics(this.ports.operations);
  }

  get httpPort(): number {
    return this.ports.http;
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.#hasEnded) {
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exited;
    }
  }

  async #isReady(): Promise<boolean> {
    if (this.#hasEnded) {
      throw new Error(`${this.#name} ended: ${this.#output}`);
    }
    return fetch(`http://127.0.0.1:${this.ports.operations}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

async function freePorts(): Promise<Ports> {
  return { http: await freePort(), operations: await freePort() };
}

/** `BENCH_PROFILE=fanout` writes a CPU profile of each such process into the results' folder when it stops. */
function nodeFlags(name: ServiceName): string[] {
  return process.env['BENCH_PROFILE'] === name ? ['--cpu-prof', `--cpu-prof-dir=${resultsFolder}`] : [];
}
