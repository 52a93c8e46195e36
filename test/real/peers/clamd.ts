import { mkdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createTemporaryFolder } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/program.ts';

/** The name of the only signature. clamd adds `.UNOFFICIAL` to the names of databases that it does not know. */
export const SIGNATURE = 'Porter.Test.Eicar.UNOFFICIAL';

/**
 * The test file of the European Institute for Computer Antivirus Research, which every scanner must find. Assembled here, so that
 * scanners do not find it in the source.
 */
export const EICAR = [
  'X5O!P%@AP[4',
  '\\PZX54(P^)7CC)7}$EICAR',
  '-STANDARD-ANTIVIRUS-',
  'TEST-FILE!$H+H*',
].join('');

/** Bytes. A larger stream is refused. */
export const STREAM_MAX_LENGTH = 1024 * 1024;

export interface Clamd {
  readonly socket: string;
  readonly port: number;
  readonly program: Program;
  /** Starts it again at the same address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts clamd without a network and without the databases of ClamAV: its only signature is that of EICAR. */
export async function startClamd(): Promise<Clamd> {
  const folder = await createTemporaryFolder();
  const socket = join(folder, 'clamd.sock');
  const port = await freePort();
  await mkdir(join(folder, 'db'));
  await writeFile(
    join(folder, 'db', 'test.ndb'),
    `Porter.Test.Eicar:0:*:${Buffer.from(EICAR).toString('hex')}\n`,
  );
  await writeFile(
    join(folder, 'clamd.conf'),
    `
Foreground yes
LocalSocket ${socket}
TCPSocket ${port}
TCPAddr 127.0.0.1
DatabaseDirectory ${folder}/db
StreamMaxLength ${STREAM_MAX_LENGTH}
LogClean yes
SelfCheck 86400
`,
  );
  const start = async () => {
    const program = new Program('/usr/sbin/clamd', ['-c', join(folder, 'clamd.conf')], { cwd: folder });
    await program.waitFor('the socket of clamd', () => accepts(socket));
    return program;
  };
  let program = await start();
  return {
    socket,
    port,
    get program() {
      return program;
    },
    async restart() {
      program = await start();
    },
    async stop() {
      await program.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
