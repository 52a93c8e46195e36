import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteLedger } from '../../src/ledger/sqlite/open.ts';
import { ledgerSuite } from './ledger.ts';

ledgerSuite('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'porter-ledger-'));
  const openAgain = () => openSqliteLedger({ file: join(folder, 'porter.db'), sync: false });
  const ledger = await openAgain();
  return {
    ledger,
    openAgain,
    async close() {
      await ledger.close();
      await rm(folder, { recursive: true });
    },
  };
});
