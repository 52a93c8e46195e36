import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openFsBlobs } from '../../src/blobs/fs/fs-blobs.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite/open.ts';
import { faultSuite } from './faults/faults.ts';

const folder = mkdtempSync(join(tmpdir(), 'porter-faults-'));
after(() => rm(folder, { recursive: true }));

faultSuite('SQLite and disk', {
  folder: () => folder,
  without: ['import blobs.put'],
  async open() {
    const root = await mkdtemp(join(folder, 'stores-'));
    const ledger = await openSqliteLedger({ file: join(root, 'porter.db'), sync: false });
    const blobs = openFsBlobs({ root: join(root, 'blobs'), sync: false });
    return {
      ledger,
      blobs,
      async close() {
        await ledger.close();
        await blobs.close();
      },
    };
  },
});
