import type { Blobs } from '../blobs/contract.ts';
import { fsBlobs } from '../blobs/fs.ts';
import type { Config } from '../config/load.ts';
import type { Ledger } from '../ledger/contract.ts';
import { openSqliteLedger } from '../ledger/sqlite.ts';

export interface Stores {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  close(): Promise<void>;
}

/** The one place that knows back ends by name. */
export async function openStores({ storage, downloads }: Config): Promise<Stores> {
  if (storage.blobs.kind !== 'folder') throw new Error('no such store');
  const ledger = await openLedger(storage);
  // A web server that reads the folder by itself must never see half a file.
  const atomic = downloads.via === 'webserver';
  const blobs = fsBlobs({ root: storage.blobs.path, sync: storage.sync, atomic });
  return {
    ledger,
    blobs,
    async close() {
      await blobs.close();
      await ledger.close();
    },
  };
}

async function openLedger({ ledger, sync }: Config['storage']): Promise<Ledger> {
  if (ledger.kind === 'sqlite') return await openSqliteLedger({ file: ledger.path, sync });
  // Its client is loaded only where somebody has asked for it.
  const { openPostgresLedger } = await import('../ledger/postgres.ts');
  return await openPostgresLedger({ ...ledger, sync });
}
