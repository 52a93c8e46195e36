import type { RowKey } from '../../ledger/contract/ledger.ts';
import { copyFiles, isSameBlob, type MigratedUpload, toMigratedUpload } from './copy-files.ts';
import { type MigrationContext, MigrationError, type MigrationReport } from './prepare.ts';
import { ROWS_PER_RANGE } from './sync-table.ts';

const PAGE = 500;

/**
 * Holds the files of the new place against its ledger: each one that it says is stored must lie there at its full
 * length. One listing of the store tells; only where it shows too few they are looked for one by one and copied again.
 */
export async function verifyFiles(deps: MigrationContext, report: MigrationReport): Promise<void> {
  if (deps.sharedBlobs) return;
  const stored = await countStored(deps);
  deps.observer.onPass('check', stored);
  if ((await countWhole(deps, report)) < stored) await mend(deps, report);
}

const countStored = ({ target }: MigrationContext) =>
  target.ledger.countRows({ table: 'uploads', state: 'stored' });

async function countWhole(deps: MigrationContext, report: MigrationReport): Promise<number> {
  let whole = 0;
  let page: { key: string; size: number }[] = [];
  const look = async () => {
    deps.signal.throwIfAborted();
    const keys = page.map(({ key }) => [idOfKey(key)]);
    const rows = (await deps.target.ledger.readRowsByKey({ table: 'uploads', keys })).map(toMigratedUpload);
    const sizes = new Map(
      rows.filter(({ state }) => state === 'stored').map(({ blob, size }) => [blob, size]),
    );
    whole += page.filter(({ key, size }) => sizes.get(key) === size).length;
    deps.observer.onProgress(whole, report.bytes);
    page = [];
  };
  for await (const blob of deps.target.blobs.list()) {
    if (page.push(blob) === PAGE) await look();
  }
  await look();
  return whole;
}

const idOfKey = (key: string) => key.slice(key.lastIndexOf('/') + 1).split('.', 1)[0] ?? '';

/** Every stored upload of the new place, some at a time. */
async function* storedUploads({ target, signal }: MigrationContext): AsyncGenerator<MigratedUpload[]> {
  const table = 'uploads';
  for (let after: RowKey | null = null; ; ) {
    signal.throwIfAborted();
    const upTo: RowKey | null = await target.ledger.findRangeEnd({ table, after, rows: ROWS_PER_RANGE });
    const rows = (await target.ledger.readRowRange({ table, after, upTo })).map(toMigratedUpload);
    yield rows.filter(({ state }) => state === 'stored');
    if (upTo === null) return;
    after = upTo;
  }
}

async function mend(deps: MigrationContext, report: MigrationReport): Promise<void> {
  for await (const rows of storedUploads(deps)) {
    const broken: MigratedUpload[] = [];
    for (const row of rows) if ((await sizeOf(deps, row.blob)) !== row.size) broken.push(row);
    // Those that are not in the old place either were told of when they were carried, or are gone by now.
    await copyFiles(deps, broken, report);
  }
}

async function sizeOf({ target }: MigrationContext, key: string): Promise<number | undefined> {
  const blob = await target.blobs.open(key);
  await blob?.close();
  return blob?.size;
}

/** Compares every byte of both places; what was deleted meanwhile is no difference. */
export async function compareAllFiles(deps: MigrationContext, report: MigrationReport): Promise<void> {
  if (deps.sharedBlobs) return;
  deps.observer.onPass('compare', await countStored(deps));
  let compared = 0;
  for await (const rows of storedUploads(deps)) {
    for (const { id, blob } of rows) {
      deps.signal.throwIfAborted();
      if (!(await isSameBlob(deps.source.blobs, deps.target.blobs, blob)) && (await isStored(deps, id))) {
        throw new MigrationError(`The bytes of ${id} are not the same in both places.`);
      }
    }
    compared += rows.length;
    deps.observer.onProgress(compared, report.bytes);
  }
}

async function isStored({ source }: MigrationContext, id: string): Promise<boolean> {
  const [row] = await source.ledger.readRowsByKey({ table: 'uploads', keys: [[id]] });
  return row?.state === 'stored' && (await hasBytes(source.blobs, toMigratedUpload(row)));
}

async function hasBytes(
  blobs: MigrationContext['source']['blobs'],
  { blob }: MigratedUpload,
): Promise<boolean> {
  const open = await blobs.open(blob);
  await open?.close();
  return open !== undefined;
}

/** The counters of every owner must say what its uploads in the new place add up to. */
export async function verifyOwnerCounters({ target, signal }: MigrationContext): Promise<void> {
  for (let after: RowKey | null = null; ; ) {
    signal.throwIfAborted();
    const upTo: RowKey | null = await target.ledger.findRangeEnd({
      table: 'owners',
      after,
      rows: ROWS_PER_RANGE,
    });
    const wrong = await target.ledger.findWrongCounters({ after, upTo });
    if (wrong.length > 0) {
      throw new MigrationError(
        `The counters of ${wrong.length} owners are off, such as ${wrong[0]}: run porter fsck --repair in the old place, then move again.`,
      );
    }
    if (upTo === null) return;
    after = upTo;
  }
}
