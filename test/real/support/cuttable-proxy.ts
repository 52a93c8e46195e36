import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy whose connections a test can break. */
export interface CuttableProxy {
  readonly port: number;
  /** Breaks all connections as soon as the clients have sent so many more bytes. New connections are accepted. */
  cutAfter(bytes: number): void;
  close(): Promise<void>;
}

/** Starts a proxy in front of a port of this machine. */
export async function startCuttableProxy(serverPort: number): Promise<CuttableProxy> {
  const sockets = new Set<Socket>();
  let bytesLeft = Number.POSITIVE_INFINITY;
  const breakAll = () => {
    bytesLeft = Number.POSITIVE_INFINITY;
    for (const socket of sockets) socket.destroy();
  };
  const proxy = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    client.on('data', ({ length }) => {
      bytesLeft -= length;
      if (bytesLeft <= 0) breakAll();
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    cutAfter(bytes) {
      bytesLeft = bytes;
    },
    async close() {
      breakAll();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
