import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteLedger } from '../../src/ledger/sqlite.ts';
import { ledgerSuite } from './ledger.ts';

ledgerSuite('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'porter-ledger-'));
  const another = () => openSqliteLedger({ file: join(folder, 'porter.db'), sync: false });
  const ledger = await another();
  return {
    ledger,
    another,
    async close() {
      await ledger.close();
      await rm(folder, { recursive: true });
    },
  };
});
