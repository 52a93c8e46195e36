import { after, before, describe } from 'node:test';
import { openPostgresLedger } from '../../src/ledger/postgres/open.ts';
import { needs } from '../real/peers/peers.ts';
import { type PostgresServer, startPostgres } from '../real/peers/postgres.ts';
import { ledgerSuite } from './ledger.ts';

describe('PostgreSQL server', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  ledgerSuite('PostgreSQL', async () => {
    const url = await server.createSchema();
    const openAgain = () => openPostgresLedger({ url, sync: true, connections: 4 });
    const ledger = await openAgain();
    return { ledger, openAgain, close: () => ledger.close() };
  });
});
