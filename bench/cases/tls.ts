import { measureRounds } from '../rounds.ts';
import type { Case } from './case.ts';
import { bodyFile, CONNECTIONS, LARGE } from './files.ts';
import { largeReader, smallReaders } from './get.ts';
import { largeWriter, smallWriter } from './put.ts';

const getTls: Case = {
  name: 'tls-get-small',
  title: `10 KB GET over TLS, one file, ${CONNECTIONS} connections`,
  needs: ['wrk', 'nginx'],
  async measure(environment) {
    const readers = await smallReaders(environment, await environment.tlsServers(), 1);
    return { unit: 'requests/s', rows: await measureRounds(environment, readers) };
  },
};

const putTls: Case = {
  name: 'tls-put-small',
  title: `10 KB PUT over TLS to signed links, ${CONNECTIONS} connections`,
  needs: ['wrk', 'nginx'],
  async measure(environment) {
    const servers = await environment.tlsServers();
    const writers = servers.map((server) => smallWriter(environment, server));
    return { unit: 'requests/s', rows: await measureRounds(environment, writers) };
  },
};

const getLargeTls: Case = {
  name: 'tls-get-large',
  title: '200 MB GET over TLS, one connection',
  needs: ['curl', 'nginx'],
  async measure(environment) {
    const servers = await environment.tlsServers();
    const readers = await Promise.all(servers.map((server) => largeReader(environment, server)));
    return { unit: 'MB/s', rows: await measureRounds(environment, readers) };
  },
};

const putLargeTls: Case = {
  name: 'tls-put-large',
  title: '200 MB PUT over TLS, one connection',
  needs: ['curl', 'nginx'],
  async measure(environment) {
    const file = await bodyFile(environment, LARGE);
    const servers = await environment.tlsServers();
    const writers = servers.map((server) => largeWriter(environment, server, file));
    return { unit: 'MB/s', rows: await measureRounds(environment, writers) };
  },
};

/** Without a web server in front, as small installations run. TLS 1.3, one certificate for both. */
export const tlsCases: readonly Case[] = [getTls, putTls, getLargeTls, putLargeTls];
