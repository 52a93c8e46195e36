import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type ListenOptions, type Server } from 'node:net';
import type { ListenAddress } from '../../base/addresses.ts';

/** Listening failed. The message is for the admin. */
export class ListenError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
  }
}

/** Above the default limit of Linux, so that the limit of the system (`net.core.somaxconn`) applies. */
const BACKLOG = 4096;
/** Read and write for owner and group. The web server in front belongs to the group. */
const SOCKET_MODE = 0o660;

/**
 * Starts to listen. Throws `ListenError`. Removes the Unix socket of a dead process first, unless the address is `shared` with
 * other workers.
 */
export async function listen(server: Server, address: ListenAddress, shared = false): Promise<void> {
  if ('path' in address && !shared) await removeStaleSocket(address.path);
  await bind(server, { ...address, backlog: BACKLOG }).catch((error: NodeJS.ErrnoException) => {
    throw new ListenError(`Cannot listen on ${formatListenAddress(address)}: ${explainError(error)}.`, error);
  });
  if ('path' in address) await chmod(address.path, SOCKET_MODE);
}

/** Removes Unix sockets of dead processes. Throws `ListenError` if a process still listens on one. */
export async function removeStaleSockets(addresses: readonly ListenAddress[]): Promise<void> {
  for (const address of addresses) if ('path' in address) await removeStaleSocket(address.path);
}

/** Returns for example `127.0.0.1:5050`, `[::1]:5050`, `port 5050` or `unix:/run/porter.sock`. */
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

function explainError(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program already listens there. Stop it, or change the option listen';
    case 'EACCES':
      return `permission denied (running as uid ${process.getuid?.()}). Ports below 1024 need CAP_NET_BIND_SERVICE; a Unix socket needs write permission in its folder`;
    case 'EADDRNOTAVAIL':
      return 'this machine does not have this address. Correct the option listen';
    case 'ENOENT':
      return 'the folder of the socket does not exist. Create it';
    default:
      return error.message;
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (!stats) return;
  if (!stats.isSocket())
    throw new ListenError(
      `Cannot listen on unix:${path}: a file that is not a socket has this name. Remove it, or change the option listen.`,
    );
  if (await isAlive(path)) {
    throw new ListenError(
      `Cannot listen on unix:${path}: another program already listens there. Stop it, or change the option listen.`,
    );
  }
  await unlink(path);
}

/** Returns false only if the connection is refused or the file is gone: no process listens any more. */
function isAlive(path: string): Promise<boolean> {
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
