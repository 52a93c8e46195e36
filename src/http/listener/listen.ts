import { existsSync } from 'node:fs';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type ListenOptions, type Server } from 'node:net';
import { dirname } from 'node:path';
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
    throw new ListenError(
      `Cannot listen on ${formatListenAddress(address)}: ${explainError(error, address)}.`,
      error,
    );
  });
  if ('path' in address) await chmod(address.path, SOCKET_MODE);
}

/** Removes Unix sockets of dead processes. Throws `ListenError` if a process still listens on one. */
export async function removeStaleSockets(addresses: readonly ListenAddress[]): Promise<void> {
  for (const address of addresses) if ('path' in address) await removeStaleSocket(address.path);
}

/** Returns for example `127.0.0.1:5050`, `[::1]:5050`, `port 5050` or `unix:/run/porter/porter.sock`. */
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

/** Bytes of the longest path of a Unix socket (unix(7)). */
const MAX_SOCKET_PATH = 107;

function explainError(error: NodeJS.ErrnoException, address: ListenAddress): string {
  const user = `running as uid ${process.getuid?.()}`;
  if ('path' in address) {
    if (Buffer.byteLength(address.path) > MAX_SOCKET_PATH)
      return `the path of a Unix socket has at most ${MAX_SOCKET_PATH} bytes. Choose a shorter one`;
    const folder = dirname(address.path);
    // Node.js reports a missing folder as EACCES (libuv, `uv_pipe_bind2`).
    if (!existsSync(folder))
      return `the folder ${folder} does not exist. Create it (systemd: RuntimeDirectory=porter)`;
    if (error.code === 'EACCES') return `permission denied (${user}). Allow this user to write to its folder`;
  }
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program already listens there. Stop it, or change the option listen';
    case 'EACCES':
      return `permission denied (${user}). Ports below 1024 need CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return 'this machine does not have this address. Correct the option listen';
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
