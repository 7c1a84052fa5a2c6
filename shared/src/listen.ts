import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TidelineError } from './errors.js';

export interface Listening {
  port: number;
  /** Takes no new connections, lets requests that run finish, closes idle connections. */
  close(): Promise<void>;
}

/** Listens; port 0 takes a free one. A taken port is an error that says so. */
export async function listen(server: Server, host: string, port: number): Promise<Listening> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new TidelineError('configuration', `Cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeIdleConnections();
      }),
  };
}
