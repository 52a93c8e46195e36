import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** A connection on which a test says each byte itself and sees each byte that comes back. */
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
    // A connection that is cut is what many tests are about; `closed` tells of it.
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

  /** Resolves with all text so far when it has what is looked for; fails when the other side hangs up before. */
  async waitFor(wanted: string | RegExp): Promise<string> {
    const found = () => (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text));
    while (!found()) {
      assert.ok(!this.#closed, `the connection ended before ${wanted}; it said: ${this.text}`);
      await this.#change();
    }
    return this.text;
  }

  /** Resolves with all text when the other side has hung up. */
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
