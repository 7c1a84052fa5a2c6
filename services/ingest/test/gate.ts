import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a service and a server, so that a test can take the server away from this service alone. */
export interface Gate {
  host: string;
  port: number;
  /** Lets connections through from now on. */
  open(): void;
  /** Breaks what goes through, and refuses what comes. */
  shut(): void;
  /** Lets nothing through and breaks nothing, as a server that hangs. */
  hang(): void;
  close(): Promise<void>;
}

/** A gate to `host:port`, open or shut at first. */
export async function gateTo(target: { host: string; port: number }, state: 'open' | 'shut'): Promise<Gate> {
  const sockets = new Set<Socket>();
  let isOpen = state === 'open';

  const server = createServer((near) => {
    if (!isOpen) {
      near.destroy();
      return;
    }
    const far = connect(target.port, target.host);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function shut(): void {
    isOpen = false;
    for (const socket of sockets) {
      socket.destroy();
    }
  }

  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    open: () => {
      isOpen = true;
    },
    shut,
    hang: () => {
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    close: () => {
      shut();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** The same URL, but through the gate. */
export function throughGate(url: string, gate: Gate): string {
  const through = new URL(url);
  through.hostname = gate.host;
  through.port = String(gate.port);
  return through.href;
}
