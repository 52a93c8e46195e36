import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * Where a connection is cut at a statement:
 *
 * - `before`: the server gets neither the statement nor the end of the connection until `closeHeld`.
 * - `after`: the server has executed the statement, and its answer is dropped.
 */
export type CutPoint = 'before' | 'after';

/** A TCP proxy in front of PostgreSQL that cuts connections exactly at a statement. */
export interface PostgresProxy {
  readonly port: number;
  /** Cuts the next `times` connections that send `statement`. Resolves when it has cut them. */
  cutAt(statement: string, point: CutPoint, times?: number): Promise<void>;
  /** Refuses connections until it is set to false, and cuts the existing ones. */
  setDown(down: boolean): void;
  /** Closes the server's ends of connections that were cut with `before`. */
  closeHeld(): void;
  close(): Promise<void>;
}

interface Cut {
  /** Whether a chunk that a client sends has the statement. */
  readonly pattern: Buffer;
  readonly point: CutPoint;
  left: number;
  readonly done: PromiseWithResolvers<void>;
}

export async function startPostgresProxy(serverPort: number): Promise<PostgresProxy> {
  let cut: Cut | undefined;
  let isDown = false;
  const sockets = new Set<Socket>();
  const held = new Set<Socket>();

  const takeCut = (chunk: Buffer): Cut | undefined => {
    const found = cut?.pattern !== undefined && chunk.includes(cut.pattern) ? cut : undefined;
    if (!found) return undefined;
    found.left -= 1;
    if (found.left === 0) cut = undefined;
    return found;
  };
  const finish = ({ left, done }: Cut) => {
    if (left === 0) done.resolve();
  };

  const proxy = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    if (isDown) {
      client.destroy();
      server.destroy();
      return;
    }
    let awaited: Cut | undefined;
    client.on('data', (chunk: Buffer) => {
      const found = takeCut(chunk);
      if (found?.point === 'before') {
        held.add(server);
        client.destroy();
        finish(found);
        return;
      }
      if (found) awaited = found;
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (!awaited) return void client.write(chunk);
      client.destroy();
      server.destroy();
      finish(awaited);
    });
    client.on('close', () => held.has(server) || server.destroy());
    server.on('close', () => client.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');

  const closeHeld = () => {
    for (const socket of held) socket.destroy();
    held.clear();
  };
  return {
    port: (proxy.address() as AddressInfo).port,
    cutAt(statement, point, times = 1) {
      const done = Promise.withResolvers<void>();
      cut = { pattern: Buffer.from(statement), point, left: times, done };
      return done.promise;
    },
    setDown(down) {
      isDown = down;
      if (down) for (const socket of sockets) socket.destroy();
    },
    closeHeld,
    async close() {
      closeHeld();
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
