import type { BenchEnvironment } from '../environment.ts';
import { measureRounds } from '../rounds.ts';
import type { FileServer } from '../servers/file-server.ts';
import type { Case } from './case.ts';
import { CONNECTIONS } from './files.ts';
import { smallReaders } from './get.ts';
import { smallWriter, withSignedLinks } from './put.ts';

/** Sizes between those of the other cases, in bytes. */
const SIZES = [
  { label: '1k', title: '1 KB', size: 1024 },
  { label: '100k', title: '100 KB', size: 102_400 },
  { label: '1m', title: '1 MB', size: 1_048_576 },
];

export const getSizes: readonly Case[] = SIZES.map(({ label, title, size }) => ({
  name: `get-${label}`,
  title: `${title} GET, one file, ${CONNECTIONS} connections`,
  needs: ['wrk', 'nginx'],
  async measure(environment) {
    const readers = await smallReaders(environment, await serversFor(environment), 1, size);
    return { unit: 'requests/s', rows: await measureRounds(environment, readers) };
  },
}));

export const putSizes: readonly Case[] = SIZES.map(({ label, title, size }) => ({
  name: `put-${label}`,
  title: `${title} PUT to signed links, ${CONNECTIONS} connections`,
  needs: ['wrk', 'nginx'],
  async measure(environment) {
    const writers = (await serversFor(environment)).map((server) => smallWriter(environment, server, size));
    return { unit: 'requests/s', rows: await measureRounds(environment, writers) };
  },
}));

/** Porter with signed links, prosody-filer if it takes part, and nginx. */
export async function serversFor(environment: BenchEnvironment): Promise<FileServer[]> {
  const porter = withSignedLinks(await environment.porter());
  return [porter, ...(await environment.filer()), await environment.nginx()];
}
