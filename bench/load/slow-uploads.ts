import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { UploadSlot } from '../servers/file-server.ts';

const TICK = 50;
const CHUNK = randomBytes(64 * 1024);
/** Bytes that may be buffered in this process per upload. */
const AHEAD = 4 * CHUNK.length;

/** Many concurrent uploads with adjustable speed. */
export class SlowUploads {
  /** Bytes per second and upload. */
  speed = 0;
  readonly #senders: Sender[];
  readonly #timer: NodeJS.Timeout;
  #last = performance.now();

  private constructor(senders: Sender[]) {
    this.#senders = senders;
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  static async start(url: string, slots: readonly UploadSlot[], size: number): Promise<SlowUploads> {
    const { hostname, port, host } = new URL(url);
    const senders = await Promise.all(
      slots.map(async (slot) => {
        const socket = connect(Number(port), hostname);
        await once(socket, 'connect');
        return new Sender(socket, host, slot, size);
      }),
    );
    return new SlowUploads(senders);
  }

  /** Bytes sent by all uploads. */
  get sent(): number {
    return this.#senders.reduce((sum, { sent }) => sum + sent, 0);
  }

  /** Uploads without a response and with an open connection. */
  get underWay(): number {
    return this.#senders.filter(({ answer }) => answer === undefined).length;
  }

  /** Completes `count` uploads at full speed and returns their statuses. */
  async finish(count: number): Promise<number[]> {
    const chosen = this.#senders.slice(0, count);
    return Promise.all(chosen.map((sender) => sender.finish()));
  }

  /** Closes all connections. */
  abort(): void {
    clearInterval(this.#timer);
    for (const sender of this.#senders) sender.abort();
  }

  #tick(): void {
    const now = performance.now();
    const allowance = (this.speed * (now - this.#last)) / 1000;
    this.#last = now;
    for (const sender of this.#senders) sender.send(allowance);
  }
}

/** One connection with one PUT. */
class Sender {
  sent = 0;
  /** The status of the response; 0 if the connection closed without one. */
  answer: number | undefined;
  readonly #socket: Socket;
  readonly #size: number;
  readonly #answered: Promise<number>;
  #allowance = 0;

  constructor(socket: Socket, host: string, { putPath, headers }: UploadSlot, size: number) {
    this.#socket = socket;
    this.#size = size;
    const fields = Object.entries({ Host: host, 'Content-Length': size, ...headers });
    socket.write(
      `PUT ${putPath} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    );
    this.#answered = this.#listen();
  }

  #listen(): Promise<number> {
    return new Promise((resolve) => {
      const settle = (status: number) => {
        this.answer ??= status;
        resolve(this.answer);
      };
      this.#socket.once('data', (bytes) =>
        settle(Number(String(bytes).slice('HTTP/1.1 '.length).slice(0, 3))),
      );
      this.#socket.on('error', () => settle(0));
      this.#socket.on('close', () => settle(0));
    });
  }

  /** Sends as much as the allowance and the socket permit. */
  send(allowance: number): void {
    this.#allowance += allowance;
    while (this.#allowance > 0 && this.#socket.writableLength < AHEAD && this.#write()) {
      this.#allowance -= CHUNK.length;
    }
    this.#allowance = Math.min(this.#allowance, CHUNK.length);
  }

  async finish(): Promise<number> {
    while (this.answer === undefined && this.#write()) {
      if (this.#socket.writableLength > AHEAD)
        await Promise.race([once(this.#socket, 'drain'), this.#answered]);
    }
    return this.#answered;
  }

  abort(): void {
    this.#socket.destroy();
  }

  /** Returns false at the end of the body. */
  #write(): boolean {
    const left = this.#size - this.sent;
    if (left <= 0 || this.answer !== undefined) return false;
    const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length));
    this.#socket.write(chunk);
    this.sent += chunk.length;
    return true;
  }
}
