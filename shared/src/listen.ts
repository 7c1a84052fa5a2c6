import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { TidelineError } from './errors.js';

export interface Listening {
  port: number;
  /** Takes no new connections, lets requests that run finish, closes idle connections and those never used. */
  close(): Promise<void>;
}

/** Listens; port 0 takes a free one. A taken port is an error that says so. */
export async function listen(server: Server, host: string, port: number): Promise<Listening> {
  const unused = unusedConnections(server);
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
        for (const socket of unused) {
          socket.destroy();
        }
      }),
  };
}

/** Those on which no request came yet: clients open some ahead of need, and Node does not count them as idle. */
function unusedConnections(server: Server): ReadonlySet<Socket> {
  const unused = new Set<Socket>();
  server.on('connection', (socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', ({ socket }) => unused.delete(socket));
  return unused;
}
