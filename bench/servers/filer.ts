import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arePortsOpen, freePort } from '../../test/real/support/ports.ts';
import { Program } from '../../test/real/support/program.ts';
import { SIGNED_PATH, SIGNING_SECRET, signedSlots } from '../load/signed-slots.ts';
import type { FileServer } from './file-server.ts';

/** The executable of prosody-filer (https://github.com/ThomasLeister/prosody-filer). No distribution packages it. */
export const FILER = process.env.FILER;

/** Starts prosody-filer. Throws without `FILER`. */
export async function filerServer(parent: string): Promise<FileServer> {
  if (FILER === undefined) throw new Error('FILER is not set.');
  const folder = await mkdtemp(join(parent, 'filer-'));
  const files = join(folder, 'files');
  await mkdir(files);
  const port = await freePort();
  const config = join(folder, 'config.toml');
  await writeFile(config, configOf(files, port));
  const program = new Program(FILER, ['-config', config], { cwd: folder });
  await program.waitFor(`port ${port}`, () => arePortsOpen([port]));
  return {
    name: 'prosody-filer',
    url: `http://127.0.0.1:${port}`,
    files,
    pid: program.pid,
    slots: async (count, size) => signedSlots(count, size),
  };
}

const configOf = (files: string, port: number) => `
listenport = "127.0.0.1:${port}"
unixSocket = false
secret = "${SIGNING_SECRET}"
storeDir = "${files}/"
uploadSubDir = "${SIGNED_PATH.slice(1)}"
`;
