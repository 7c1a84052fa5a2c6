import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { waitUntil } from './wait-until.js';

/** A service as a process of its own, which can be killed and frozen. */
export class ServiceProcess {
  readonly #service: string;
  readonly #child: ChildProcess;
  readonly #httpPort: number;
  readonly #operationsPort: number;
  #output = '';

  /** `environment` must set the ports. */
  constructor(service: 'ingest' | 'fanout' | 'feed-api', environment: Record<string, string>) {
    this.#service = service;
    this.#httpPort = Number(environment['TIDELINE_HTTP_PORT']);
    this.#operationsPort = Number(environment['TIDELINE_OPERATIONS_PORT']);
    const main = fileURLToPath(new URL(`../../services/${service}/src/main.ts`, import.meta.url));
    this.#child = spawn(process.execPath, ['--conditions=tideline-source', '--import', 'tsx', main], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
  }

  get ports() {
    return { http: this.#httpPort, operations: this.#operationsPort };
  }

  /** What it logged so far. */
  get output(): string {
    return this.#output;
  }

  /** The status that it ended with; null while it runs and after a signal that ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  async ready(): Promise<void> {
    await waitUntil(`${this.#service} is ready`, async () => {
      if (this.#hasEnded) {
        throw new Error(`${this.#service} ended: ${this.#output}`);
      }
      return fetch(`http://127.0.0.1:${this.#operationsPort}/readyz`).then(
        (response) => response.ok,
        () => false,
      );
    });
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Sends a signal; for one that ends the process, waits until it has. */
  async signal(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (this.#hasEnded) {
      return;
    }
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') {
      await exited;
    }
  }
}
