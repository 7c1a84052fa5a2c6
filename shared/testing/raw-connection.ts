import { connect, type Socket } from 'node:net';

/** Bytes as they are, over a connection of its own: for what no HTTP client would send. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #openedAt = performance.now();
  readonly #closed: Promise<void>;
  #received = '';

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => {
      this.#received += text;
    });
    // A connection that is reset is closed too.
    this.#socket.on('error', () => undefined);
    this.#closed = new Promise((resolve) => this.#socket.on('close', () => resolve()));
  }

  send(text: string): this {
    this.#socket.write(text);
    return this;
  }

  /** Goes on sending this, a piece every so often, until the connection is closed. */
  drip(text: string, intervalMs: number): this {
    const dripping = setInterval(() => this.#socket.write(text), intervalMs);
    this.#socket.on('close', () => clearInterval(dripping));
    return this;
  }

  /** All that was answered so far. */
  get received(): string {
    return this.#received;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Waits until the other side closes the connection, and says what it had answered and after how long it closed. */
  async closed(): Promise<{ status: number; body: string; afterMs: number }> {
    await this.#closed;
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(this.#received)?.[1]);
    const body = this.#received.slice(this.#received.indexOf('\r\n\r\n') + 4);
    return { status, body, afterMs: performance.now() - this.#openedAt };
  }
}
