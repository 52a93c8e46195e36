import { lstatSync, readFileSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

/** Explains why nothing answers at a Unix socket of `listen`. `code`: the system error of the connection. */
export function explainSocketError(code: string, path: string): string {
  const folder = dirname(path);
  const found = readStats(path);
  if (found === 'hidden' || code === 'EACCES' || code === 'EPERM') {
    return `This user (uid ${process.getuid?.()}) may not use ${path}. Run the doctor as the user of Porter, or as root.`;
  }
  if (found === undefined) {
    return readStats(folder) === undefined
      ? `The folder ${folder} does not exist, so nothing can listen at ${path}. Create it (systemd: RuntimeDirectory=porter), or correct listen.`
      : `There is no socket ${path}. Start \`porter serve\` with this config file, or correct listen.`;
  }
  if (!found.isSocket()) return `${path} is not a socket. Remove it, or correct listen.`;
  return `The process that created the socket ${path} has ended (${code}). Start \`porter serve\`; it replaces the socket.`;
}

/** Explains who may connect to a Unix socket, for a web server that does not reach it. */
export function describeSocketAccess(path: string): string {
  const found = readStats(path);
  if (found === undefined || found === 'hidden') return explainSocketError('ENOENT', path);
  const closed = foldersAbove(path).find(({ stats }) => (stats.mode & 0o011) === 0);
  if (closed) {
    return (
      `Only uid ${closed.stats.uid} may enter ${closed.path} (mode ${octal(closed.stats)}), so the web server cannot reach the socket. ` +
      `Run: chmod g+x ${closed.path}, and give the folder to the group of the web server.`
    );
  }
  if ((found.mode & 0o002) !== 0) return `Every user may connect to ${path}.`;
  if ((found.mode & 0o020) === 0) {
    return `Only uid ${found.uid} may connect to ${path} (mode ${octal(found)}). Run: chmod g+w ${path}, and restart Porter if it changes back.`;
  }
  const group = groupName(found.gid);
  return (
    `Only uid ${found.uid} and the group ${group} may connect to ${path}. Add the user of the web server to this group and restart it: ` +
    `usermod -aG ${group} www-data.`
  );
}

const octal = ({ mode }: Stats): string => (mode & 0o7777).toString(8);

/** Returns the state of a file, undefined if it does not exist, or `hidden` if this user may not read its folder. */
function readStats(path: string): Stats | 'hidden' | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'hidden' : undefined;
  }
}

function foldersAbove(path: string): { readonly path: string; readonly stats: Stats }[] {
  const folder = dirname(path);
  if (folder === path) return [];
  const stats = readStats(folder);
  const above = foldersAbove(folder);
  return stats === undefined || stats === 'hidden' ? above : [...above, { path: folder, stats }];
}

/** Returns the name of a group, or its number if the system has no name for it (group(5)). */
function groupName(gid: number): string {
  try {
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((text) => text.split(':')[2] === String(gid));
    return line?.split(':')[0] ?? String(gid);
  } catch {
    return String(gid);
  }
}
