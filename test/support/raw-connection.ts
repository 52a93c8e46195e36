import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** A TCP connection on which a test writes and reads raw bytes. */
export class RawConnection {
  readonly socket: Socket;
  text = '';
  #closed = false;
  #wake = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      this.text += chunk;
      this.#wake();
    });
    // Many tests reset the connection; `waitForClose` reports it.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async open(t: TestContext, port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    t.after(() => socket.destroy());
    return new RawConnection(socket);
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Resolves with all text so far once it contains `wanted`; fails if the other side closes before. */
  async waitFor(wanted: string | RegExp): Promise<string> {
    const found = () => (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text));
    while (!found()) {
      assert.ok(!this.#closed, `The connection closed before ${wanted} arrived. Received: ${this.text}`);
      await this.#change();
    }
    return this.text;
  }

  /** Resolves with all text once the other side has closed the connection. */
  async waitForClose(): Promise<string> {
    while (!this.#closed) await this.#change();
    return this.text;
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
