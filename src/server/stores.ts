import type { BlobStore } from '../blobs/contract.ts';
import { openFsBlobs } from '../blobs/fs/fs-blobs.ts';
import type { Config } from '../config/load.ts';
import type { Ledger } from '../ledger/contract/ledger.ts';
import { openSqliteLedger } from '../ledger/sqlite/open.ts';

export interface Stores {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  close(): Promise<void>;
}

/** The one place that knows back ends by name. */
export async function openStores({ storage, downloads }: Config): Promise<Stores> {
  const ledger = await openLedger(storage);
  const blobs = await openBlobs(storage, downloads).catch(async (fault) => {
    await ledger.close();
    throw fault;
  });
  return {
    ledger,
    blobs,
    async close() {
      await blobs.close();
      await ledger.close();
    },
  };
}

async function openBlobs(
  { blobs, sync }: Config['storage'],
  { via }: Config['downloads'],
): Promise<BlobStore> {
  // A web server that reads the folder by itself must never see half a file.
  if (blobs.kind === 'folder') return openFsBlobs({ root: blobs.path, sync, atomic: via === 'webserver' });
  const { path_style: pathStyle, public_endpoint: publicEndpoint, ...place } = blobs;
  // As large as the rest of Porter: loaded only where somebody has asked for it.
  const { openS3Blobs } = await import('../blobs/s3/s3-blobs.ts');
  return await openS3Blobs({ ...place, pathStyle, publicEndpoint });
}

async function openLedger({ ledger, sync }: Config['storage']): Promise<Ledger> {
  if (ledger.kind === 'sqlite') return await openSqliteLedger({ file: ledger.path, sync });
  // Its client is loaded only where somebody has asked for it.
  const { openPostgresLedger } = await import('../ledger/postgres/open.ts');
  return await openPostgresLedger({ ...ledger, sync });
}
