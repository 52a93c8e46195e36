import type { CarriedKey } from '../../ledger/contract.ts';
import { copyFiles, isSameFile, type UploadRow, uploadOf } from './bytes.ts';
import { type MoveDeps, MoveFailure, type MoveReport } from './places.ts';
import { RANGE } from './walk.ts';

const PAGE = 500;

/**
 * Holds the files of the new place against its ledger: each one that it says is stored must lie there at its full
 * length. One listing of the store tells; only where it shows too few they are looked for one by one and copied again.
 */
export async function checkFiles(deps: MoveDeps, report: MoveReport): Promise<void> {
  if (deps.oneStore) return;
  const stored = await countStored(deps);
  deps.tell.pass('check', stored);
  if ((await countWhole(deps, report)) < stored) await mend(deps, report);
}

const countStored = ({ to }: MoveDeps) => to.ledger.countRows({ table: 'uploads', state: 'stored' });

async function countWhole(deps: MoveDeps, report: MoveReport): Promise<number> {
  let whole = 0;
  let page: { key: string; size: number }[] = [];
  const look = async () => {
    deps.signal.throwIfAborted();
    const keys = page.map(({ key }) => [idOfKey(key)]);
    const rows = (await deps.to.ledger.findRows({ table: 'uploads', keys })).map(uploadOf);
    const sizes = new Map(
      rows.filter(({ state }) => state === 'stored').map(({ blob, size }) => [blob, size]),
    );
    whole += page.filter(({ key, size }) => sizes.get(key) === size).length;
    deps.tell.progress(whole, report.bytes);
    page = [];
  };
  for await (const blob of deps.to.blobs.list()) {
    if (page.push(blob) === PAGE) await look();
  }
  await look();
  return whole;
}

const idOfKey = (key: string) => key.slice(key.lastIndexOf('/') + 1).split('.', 1)[0] ?? '';

/** Every stored upload of the new place, some at a time. */
async function* storedUploads({ to, signal }: MoveDeps): AsyncGenerator<UploadRow[]> {
  const table = 'uploads';
  for (let after: CarriedKey | null = null; ; ) {
    signal.throwIfAborted();
    const upTo: CarriedKey | null = await to.ledger.cutRows({ table, after, rows: RANGE });
    const rows = (await to.ledger.readRows({ table, after, upTo })).map(uploadOf);
    yield rows.filter(({ state }) => state === 'stored');
    if (upTo === null) return;
    after = upTo;
  }
}

async function mend(deps: MoveDeps, report: MoveReport): Promise<void> {
  for await (const rows of storedUploads(deps)) {
    const broken: UploadRow[] = [];
    for (const row of rows) if ((await sizeOf(deps, row.blob)) !== row.size) broken.push(row);
    // Those that are not in the old place either were told of when they were carried, or are gone by now.
    await copyFiles(deps, broken, report);
  }
}

async function sizeOf({ to }: MoveDeps, key: string): Promise<number | undefined> {
  const blob = await to.blobs.open(key);
  await blob?.close();
  return blob?.size;
}

/** Compares every byte of both places; what was deleted meanwhile is no difference. */
export async function compareFiles(deps: MoveDeps, report: MoveReport): Promise<void> {
  if (deps.oneStore) return;
  deps.tell.pass('compare', await countStored(deps));
  let compared = 0;
  for await (const rows of storedUploads(deps)) {
    for (const { id, blob } of rows) {
      deps.signal.throwIfAborted();
      if (!(await isSameFile(deps.from.blobs, deps.to.blobs, blob)) && (await isStored(deps, id))) {
        throw new MoveFailure(`The bytes of ${id} are not the same in both places.`);
      }
    }
    compared += rows.length;
    deps.tell.progress(compared, report.bytes);
  }
}

async function isStored({ from }: MoveDeps, id: string): Promise<boolean> {
  const [row] = await from.ledger.findRows({ table: 'uploads', keys: [[id]] });
  return row?.state === 'stored' && (await hasBytes(from.blobs, uploadOf(row)));
}

async function hasBytes(blobs: MoveDeps['from']['blobs'], { blob }: UploadRow): Promise<boolean> {
  const open = await blobs.open(blob);
  await open?.close();
  return open !== undefined;
}

/** The counters of every owner must say what its uploads in the new place add up to. */
export async function checkOwners({ to, signal }: MoveDeps): Promise<void> {
  for (let after: CarriedKey | null = null; ; ) {
    signal.throwIfAborted();
    const upTo: CarriedKey | null = await to.ledger.cutRows({ table: 'owners', after, rows: RANGE });
    const wrong = await to.ledger.wrongOwners({ after, upTo });
    if (wrong.length > 0) {
      throw new MoveFailure(
        `The counters of ${wrong.length} owners are off, such as ${wrong[0]}: run porter fsck --repair in the old place, then move again.`,
      );
    }
    if (upTo === null) return;
    after = upTo;
  }
}
