import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Many slow downloads. */
export class SlowDownloads {
  received = 0;
  readonly #sockets: Socket[];

  private constructor(sockets: Socket[]) {
    this.#sockets = sockets;
  }

  /** `speed` is bytes per second and download. */
  static async start(url: string, count: number, speed: number): Promise<SlowDownloads> {
    const { hostname, port, host, pathname } = new URL(url);
    const sockets = await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(Number(port), hostname);
        await once(socket, 'connect');
        return socket;
      }),
    );
    const downloads = new SlowDownloads(sockets);
    for (const socket of sockets) {
      socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      void downloads.#read(socket, speed);
    }
    return downloads;
  }

  /** Downloads whose connection is open. */
  get underWay(): number {
    return this.#sockets.filter(({ destroyed }) => !destroyed).length;
  }

  abort(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Reads until the connection is closed. */
  async #read(socket: Socket, speed: number): Promise<void> {
    const started = performance.now();
    let read = 0;
    const take = async (chunk: Buffer) => {
      read += chunk.length;
      this.received += chunk.length;
      const ahead = (read / speed) * 1000 - (performance.now() - started);
      if (ahead <= 0) return;
      socket.pause();
      await sleep(ahead);
      socket.resume();
    };
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => void take(chunk));
    await once(socket, 'close');
  }
}
