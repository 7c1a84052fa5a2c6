import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { listen } from './listen.js';

/** What a service says about itself: undefined where it can do its job, else the reason why not. */
export type Readiness = () => string | undefined;

export interface OperationsServer {
  port: number;
  /** From now on `/readyz` says no, so that load balancers look elsewhere. */
  drain(): void;
  close(): Promise<void>;
}

export interface OperationsOptions {
  host: string;
  port: number;
  registry: Registry;
  readiness: Readiness;
}

/** `/healthz`: the process answers. `/readyz`: it can do its job. `/metrics`: Prometheus. Not for the public. */
export async function startOperationsServer(options: OperationsOptions): Promise<OperationsServer> {
  let draining = false;
  const notReadyBecause = () => (draining ? 'shutting down' : options.readiness());

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET') {
      return json(response, 405, { error: { code: 'method_not_allowed', message: 'Only GET is answered here.' } });
    }
    switch (request.url) {
      case '/healthz':
        return json(response, 200, { status: 'ok' });
      case '/readyz': {
        const reason = notReadyBecause();
        return reason === undefined
          ? json(response, 200, { status: 'ready' })
          : json(response, 503, { status: 'not ready', reason });
      }
      case '/metrics': {
        const text = await options.registry.metrics();
        response.writeHead(200, { 'content-type': options.registry.contentType }).end(text);
        return;
      }
      default:
        return json(response, 404, {
          error: { code: 'not_found', message: 'There are /healthz, /readyz and /metrics.' },
        });
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.destroy(error));
  });
  const listening = await listen(server, options.host, options.port);
  return {
    port: listening.port,
    drain: () => {
      draining = true;
    },
    close: () => listening.close(),
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
