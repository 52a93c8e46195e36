import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type ListenOptions, type Server } from 'node:net';
import type { ListenAddress } from '../../base/addresses.ts';

/** An address that cannot be listened on, in words for an admin. */
export class ListenError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ListenFault';
  }
}

/** More than Linux takes by default, so that the system's own limit decides. */
const BACKLOG = 4096;
/** Its owner and its group: the web server in front is put into the group. */
const SOCKET_MODE = 0o660;

/**
 * Starts to listen; throws `ListenFault`. The socket of a process that is dead is removed first, unless it is `shared`:
 * then the others that listen on it are ours.
 */
export async function listen(server: Server, address: ListenAddress, shared = false): Promise<void> {
  if ('path' in address && !shared) await clearStaleSocket(address.path);
  await bind(server, { ...address, backlog: BACKLOG }).catch((error: NodeJS.ErrnoException) => {
    throw new ListenError(`Cannot listen on ${formatListenAddress(address)}: ${explain(error)}.`, error);
  });
  if ('path' in address) await chmod(address.path, SOCKET_MODE);
}

/** Removes the sockets of processes that are dead; throws `ListenFault` where one of them is not. */
export async function removeStaleSockets(addresses: readonly ListenAddress[]): Promise<void> {
  for (const address of addresses) if ('path' in address) await clearStaleSocket(address.path);
}

/** `127.0.0.1:5050`, `[::1]:5050`, `port 5050`, `unix:/run/porter.sock`. */
export function formatListenAddress(address: ListenAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  if (address.host === undefined) return `port ${address.port}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function bind(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function explain(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program listens there already';
    case 'EACCES':
      return 'not allowed; ports below 1024 need CAP_NET_BIND_SERVICE';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    case 'ENOENT':
      return 'its folder does not exist';
    default:
      return error.message;
  }
}

async function clearStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket())
    throw new ListenError(`Cannot listen on unix:${path}: there is a file that is no socket.`);
  if (await answers(path)) {
    throw new ListenError(`Cannot listen on unix:${path}: another program listens there already.`);
  }
  await unlink(path);
}

/** Only a refused connection shows that nobody is there any more. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => done(true));
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('error', (error: NodeJS.ErrnoException) =>
      done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
