import { after, before, describe } from 'node:test';
import { openPostgresLedger } from '../../src/ledger/postgres.ts';
import { needs } from '../real/peers.ts';
import { type RunningPostgres, startPostgres } from '../real/postgres.ts';
import { ledgerSuite } from './ledger.ts';

describe('a real PostgreSQL', { skip: needs('postgresql') }, () => {
  let server: RunningPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  ledgerSuite('PostgreSQL', async () => {
    const url = await server.newPlace();
    const another = () => openPostgresLedger({ url, sync: true, connections: 4 });
    const ledger = await another();
    return { ledger, another, close: () => ledger.close() };
  });
});
