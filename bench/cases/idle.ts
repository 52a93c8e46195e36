import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { readMemory } from '../processes.ts';
import { measureRounds } from '../rounds.ts';
import type { FileServer } from '../servers/file-server.ts';
import type { Case, Row } from './case.ts';
import { CONNECTIONS, storeFiles } from './files.ts';
import { smallReaders } from './get.ts';

const IDLE = 10_000;
/** Connections that are opened at the same time. */
const AT_ONCE = 200;

export const idleConnections: Case = {
  name: 'idle-connections',
  title: `10 KB GET, ${CONNECTIONS} connections, beside ${IDLE.toLocaleString('en')} idle ones`,
  needs: ['wrk'],
  async measure(environment) {
    const porter = await environment.porterForConnections(IDLE + 2 * CONNECTIONS);
    const [path = ''] = await storeFiles(porter, 1);
    const before = await readMemory(porter.pid);
    const alone = await measureRounds(environment, await smallReaders(environment, [porter], 1));
    const idle = await openConnections(porter, path);
    try {
      const after = await readMemory(porter.pid);
      const beside = await measureRounds(environment, await smallReaders(environment, [porter], 1));
      return {
        unit: 'requests/s',
        rows: [...renamed(alone, 'Porter without idle connections'), ...renamed(beside, 'Porter with them')],
        notes: [
          `Each idle connection has had one answer and takes ${kilobytes((after.now - before.now) / IDLE)} KB.`,
          `Open at the end: ${idle.filter((socket) => !socket.destroyed).length.toLocaleString('en')}.`,
        ],
      };
    } finally {
      for (const socket of idle) socket.destroy();
    }
  },
};

const kilobytes = (bytes: number) => (bytes / 1024).toFixed(1);

const renamed = (rows: readonly Row[], name: string): Row[] => rows.map((row) => ({ ...row, name }));

/** Opens connections, and gets the head of one file over each. */
async function openConnections({ url }: FileServer, path: string): Promise<Socket[]> {
  const { hostname, port, host } = new URL(url);
  const open: Socket[] = [];
  while (open.length < IDLE) {
    const group = Array.from({ length: Math.min(AT_ONCE, IDLE - open.length) }, () =>
      connect(Number(port), hostname),
    );
    await Promise.all(
      group.map(async (socket) => {
        await once(socket, 'connect');
        socket.write(`HEAD ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        await once(socket, 'data');
      }),
    );
    open.push(...group);
  }
  return open;
}
