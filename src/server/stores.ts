import { dirname } from 'node:path';
import { type DiskSpace, readDiskSpace, trustSystemCertificates } from '../base/system-resources.ts';
import type { BlobStore } from '../blobs/contract.ts';
import { openFsBlobs } from '../blobs/fs/fs-blobs.ts';
import type { Config } from '../config/load.ts';
import type { Ledger, StoreIdentity } from '../ledger/contract/ledger.ts';
import { backUpSqliteFile } from '../ledger/sqlite/backup.ts';
import { fillBallast } from '../ledger/sqlite/ballast.ts';
import { openSqliteLedger } from '../ledger/sqlite/open.ts';
import { isBelowReserve } from '../uploads/disk/space-reserve.ts';
import type { StoreLocations } from '../uploads/store-identity/store-identity-error.ts';

export { assertIntactLedger, sealSqliteFile } from '../ledger/sqlite/backup.ts';
export { OtherMachineError } from '../ledger/sqlite/other-machine.ts';

export interface Stores {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  /** Resolves if a thread of the ledger ends unexpectedly. From then on the ledger fails every call. */
  readonly ledgerThreadEnded: Promise<Error>;
  /** Reads the space of the ledger's file system. Undefined if the ledger is not on this machine. */
  readonly readLedgerSpace: (() => Promise<DiskSpace>) | undefined;
  /** Reserves disk space for removals on a full disk, if the disk of an SQLite ledger has free space above `storage.reserve`. */
  fillBallast(): Promise<void>;
  close(): Promise<void>;
}

/** Returns the locations of the stores for messages to the admin, without passwords. */
export function storeLocations({ storage: { ledger, blobs } }: Pick<Config, 'storage'>): StoreLocations {
  return {
    ledger: ledger.kind === 'sqlite' ? ledger.path : withoutPassword(ledger.url),
    blobs: blobs.kind === 'folder' ? blobs.path : `s3://${blobs.bucket}/${blobs.prefix}`,
  };
}

function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return 'postgres://…';
  const { host, pathname } = new URL(url);
  return `postgres://${host}${pathname}`;
}

/** Opens the stores of the config. Only this file imports the back ends. */
export async function openStores({ storage, downloads }: Config): Promise<Stores> {
  if (storage.ledger.kind === 'postgres' || storage.blobs.kind === 's3') trustSystemCertificates();
  const threadEnded = Promise.withResolvers<Error>();
  const ledger = await openLedger(storage, threadEnded.resolve);
  const blobs = await openBlobs(storage, downloads).catch(async (error) => {
    await ledger.close();
    throw error;
  });
  return {
    ledger,
    blobs,
    ledgerThreadEnded: threadEnded.promise,
    readLedgerSpace: ledgerSpaceReader(storage),
    fillBallast: () => fillLedgerBallast(storage),
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
  // With `webserver`, another program reads the folder and must never see a partial file.
  if (blobs.kind === 'folder') return openFsBlobs({ root: blobs.path, sync, atomic: via === 'webserver' });
  const { path_style: pathStyle, public_endpoint: publicEndpoint, ...location } = blobs;
  // The AWS SDK is as large as the rest of Porter, so it is loaded only if needed.
  const { openS3Blobs } = await import('../blobs/s3/s3-blobs.ts');
  return await openS3Blobs({ ...location, pathStyle, publicEndpoint });
}

function ledgerSpaceReader({ ledger }: Config['storage']): Stores['readLedgerSpace'] {
  return ledger.kind === 'sqlite' ? () => readDiskSpace(dirname(ledger.path)) : undefined;
}

async function fillLedgerBallast({ ledger, reserve }: Config['storage']): Promise<void> {
  if (ledger.kind !== 'sqlite') return;
  await fillBallast(ledger.path, (space, bytes) => !isBelowReserve(reserve, space, bytes));
}

async function openLedger(
  { ledger, sync }: Config['storage'],
  onThreadEnd: (error: Error) => void,
): Promise<Ledger> {
  if (ledger.kind === 'sqlite') return await openSqliteLedger({ file: ledger.path, sync }, onThreadEnd);
  // The PostgreSQL client is loaded only if needed.
  const { openPostgresLedger } = await import('../ledger/postgres/open.ts');
  const { assertSessions } = await import('../ledger/postgres/pooling.ts');
  await assertSessions(ledger.url);
  return await openPostgresLedger({ ...ledger, sync });
}

/** The stores of a backup: an SQLite file, and a folder if files were backed up too. */
export interface BackupStores {
  readonly ledger: Ledger;
  /** Undefined if the backup has no files. */
  readonly blobs: BlobStore | undefined;
  close(): Promise<void>;
}

/** Opens the ledger of a backup, and the folder of its files. Creates them if they do not exist. */
export async function openBackup(file: string, filesFolder: string | undefined): Promise<BackupStores> {
  const ledger = await openSqliteLedger({ file, sync: true });
  try {
    const blobs = filesFolder === undefined ? undefined : openFsBlobs({ root: filesFolder, sync: true });
    return { ledger, blobs, close: () => ledger.close() };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

/** Writes a consistent copy of the ledger to a new SQLite file, while servers use the ledger. */
export async function backUpLedger(
  { storage }: Pick<Config, 'storage'>,
  identity: StoreIdentity | null,
  file: string,
): Promise<void> {
  if (storage.ledger.kind === 'sqlite') return await backUpSqliteFile(storage.ledger.path, file);
  const { readPostgresSnapshot } = await import('../ledger/postgres/snapshot.ts');
  const copy = await openSqliteLedger({ file, sync: true });
  try {
    await copy.setMigrationState('importing');
    await readPostgresSnapshot(storage.ledger.url, (table, rows) => copy.upsertRows({ table, rows }));
    if (identity) await copy.setStoreIdentity({ ...identity, replaces: null });
    await copy.setMigrationState('open');
  } finally {
    await copy.close();
  }
}
