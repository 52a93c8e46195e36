import { idInBlobKey, parsePartKey } from '../base/blob-keys.ts';
import type { Upload } from '../base/upload-records.ts';
import { publishPendingBlobs } from './blobs/publish.ts';
import { deletePendingBlobs, removeUploads } from './remove.ts';
import { isSameStore } from './store-identity/store-state.ts';

const PAGE = 500;
/** A blob that was written more recently may belong to work that is still running. */
const ORPHAN_AGE_MS = 3600_000;
/** A repair that would remove or change a larger share of all files needs `force`. */
const MAX_REPAIRED_SHARE = 0.1;

/** A difference between the ledger and the stored files. */
export type FsckFault =
  /** The blob of a stored upload is missing. Repair: removes the upload and records the reason. */
  | { readonly kind: 'missing'; readonly id: string; readonly owner: string; readonly name: string }
  /** The blob has another size than the ledger. Repair: corrects the size in the ledger. */
  | { readonly kind: 'wrong_size'; readonly id: string; readonly expected: number; readonly found: number }
  /** A blob, or part of an aborted write, without an upload. Repair: deletes it. */
  | { readonly kind: 'orphan'; readonly key: string; readonly size: number }
  /** An owner's counters differ from the sum of its uploads. Repair: counts them again. */
  | { readonly kind: 'wrong_count'; readonly owner: string }
  /** The totals of the service differ from the sum of all owners. Repair: adds them up again. */
  | { readonly kind: 'wrong_totals' };

export interface FsckOptions {
  readonly repair: boolean;
  /** Repairs even if more than a tenth of all files would be removed or changed. */
  readonly force?: boolean;
  readonly onFault: (fault: FsckFault) => void;
  /** Called after each page. */
  readonly onProgress?: (checked: { uploads: number; blobs: number }) => void;
}

export interface FsckReport {
  uploads: number;
  blobs: number;
  faults: number;
}

/** The repair would remove or change so many files that the store is probably the wrong one. Nothing or a part was repaired. */
export class TooManyRepairsError extends Error {
  /** Files that would be removed or changed, at least. */
  readonly files: number;
  /** All files: uploads in the ledger, or blobs if there are more of them. */
  readonly total: number;

  constructor(files: number, total: number) {
    super(
      `The repair would remove or change ${files} of ${total} files, which is more than 10 %. Nothing more is repaired. ` +
        'Check that storage.blobs and storage.ledger are complete and belong together. ' +
        'If the files are really gone, run: porter fsck --repair --force',
    );
    this.name = 'TooManyRepairsError';
    this.files = files;
    this.total = total;
  }
}

type FsckServices = Parameters<typeof removeUploads>[0];

/** One pass over ledger and store. */
interface FsckPass {
  readonly repair: boolean;
  /** Called before a file is removed or changed. Throws if the limit is exceeded. */
  readonly countRepair: () => void;
  readonly onFault: FsckOptions['onFault'];
  readonly onProgress: FsckOptions['onProgress'];
  readonly report: FsckReport;
}

/**
 * Checks the database against the stored files, page by page. The server may keep running. Memory use does not depend on
 * the number of files. A repair begins with a pass that only counts, and throws `TooManyRepairsError` if more than a tenth of
 * all files would be removed or changed.
 */
export async function fsck(services: FsckServices, options: FsckOptions): Promise<FsckReport> {
  if (!options.repair) return await runPass(services, options, { repair: false, countRepair: () => {} });
  await deletePendingBlobs(services);
  const limit = options.force ? Number.POSITIVE_INFINITY : await countRepairs(services, options);
  let repairs = 0;
  const countRepair = () => {
    repairs += 1;
    if (repairs > limit) throw new TooManyRepairsError(repairs, Math.floor(limit / MAX_REPAIRED_SHARE));
  };
  return await runPass(services, options, { repair: true, countRepair });
}

/** Counts the files that a repair would remove or change. Returns how many it may, or throws if they are more. */
async function countRepairs(services: FsckServices, { onProgress }: FsckOptions): Promise<number> {
  let repairs = 0;
  const onFault = ({ kind }: FsckFault) => {
    if (kind === 'missing' || kind === 'wrong_size' || kind === 'orphan') repairs += 1;
  };
  const { uploads, blobs } = await checkFiles(services, {
    repair: false,
    countRepair: () => {},
    onFault,
    onProgress,
    report: { uploads: 0, blobs: 0, faults: 0 },
  });
  const total = Math.max(uploads, blobs);
  if (repairs > total * MAX_REPAIRED_SHARE) throw new TooManyRepairsError(repairs, total);
  return total * MAX_REPAIRED_SHARE;
}

async function runPass(
  services: FsckServices,
  options: FsckOptions,
  { repair, countRepair }: Pick<FsckPass, 'repair' | 'countRepair'>,
): Promise<FsckReport> {
  const report: FsckReport = { uploads: 0, blobs: 0, faults: 0 };
  const onFault = (fault: FsckFault) => {
    report.faults += 1;
    options.onFault(fault);
  };
  const pass: FsckPass = { repair, countRepair, onFault, onProgress: options.onProgress, report };
  await checkFiles(services, pass);
  await checkCounters(services, pass);
  return report;
}

async function checkFiles(services: FsckServices, pass: FsckPass): Promise<FsckReport> {
  await checkUploads(services, pass);
  await checkBlobs(services, pass);
  return pass.report;
}

async function checkUploads(services: FsckServices, pass: FsckPass): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await services.ledger.listUploads({
      state: 'stored',
      limit: PAGE,
      ...(after !== undefined && { after }),
    });
    for (const upload of page) await checkUpload(services, pass, upload);
    pass.report.uploads += page.length;
    pass.onProgress?.(pass.report);
    after = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}

async function checkUpload(services: FsckServices, pass: FsckPass, upload: Upload): Promise<void> {
  const { id, owner, name, size: expected } = upload;
  let found = await services.blobs.size(upload.blob);
  if (found === undefined && upload.unpublishedBlob !== undefined) {
    await publishPendingBlobs(services);
    found = await services.blobs.size(upload.blob);
  }
  if (found === expected) return;
  // The upload may have been removed since its page was read.
  if ((await services.ledger.findExistingIds([id])).length === 0) return;
  // An import may be writing these bytes again, or have written them since their size was read.
  if (found === undefined && (await findImporting(services, [upload.blob])).length > 0) return;
  if ((await services.blobs.size(upload.blob)) === expected) return;
  if (found === undefined) {
    pass.onFault({ kind: 'missing', id, owner, name });
    if (!pass.repair) return;
    await prepareRepair(services, pass);
    await removeUploads(services, { ids: [id], reason: 'missing', detail: 'its bytes were missing (fsck)' });
  } else {
    pass.onFault({ kind: 'wrong_size', id, expected, found });
    if (!pass.repair) return;
    await prepareRepair(services, pass);
    await services.ledger.correctSize({ id, size: found });
  }
}

/** Counts a repair. The volume may have been unmounted, or the ledger moved, since the check began. */
async function prepareRepair({ ledger, blobs }: FsckServices, { countRepair }: FsckPass): Promise<void> {
  countRepair();
  if ((await ledger.migrationState()) === 'open' && (await isSameStore({ ledger, blobs }))) return;
  throw new Error(
    'The file store was replaced or the database was moved while porter fsck was running. Nothing more is repaired.',
  );
}

async function checkBlobs(services: FsckServices, pass: FsckPass): Promise<void> {
  const writtenBefore = services.clock() - ORPHAN_AGE_MS;
  let page: { key: string; size: number; modifiedAt: number }[] = [];
  const checkPage = async () => {
    pass.report.blobs += page.length;
    const old = page.filter(({ modifiedAt }) => modifiedAt < writtenBefore);
    await findOrphans(services, pass, old);
    pass.onProgress?.(pass.report);
    page = [];
  };
  for await (const blob of services.blobs.list()) {
    page.push(blob);
    if (page.length === PAGE) await checkPage();
  }
  await checkPage();
}

/**
 * The ledger has a blob key before its first byte is written: as the key of an upload, or as one that an import is writing.
 * Other keys with the id of an upload are the remains of attempts that failed.
 */
async function findOrphans(
  services: FsckServices,
  pass: FsckPass,
  page: { key: string; size: number }[],
): Promise<void> {
  const { ledger, blobs } = services;
  const keys = page.map(({ key }) => ({ id: idInBlobKey(key), blob: parsePartKey(key) ?? key }));
  const known = new Set(await ledger.findKnownBlobs(keys));
  const unknown = page.filter((_, index) => !known.has(keys[index]?.blob ?? ''));
  const unknownKeys = unknown.map(({ key }) => key);
  const importing = new Set(await findImporting(services, unknownKeys));
  const orphans: typeof page = [];
  for (const blob of unknown) {
    if (!importing.has(blob.key) && !(await isGone(services, blob.key))) orphans.push(blob);
  }
  for (const { key, size } of orphans) {
    pass.onFault({ kind: 'orphan', key, size });
    if (pass.repair) pass.countRepair();
  }
  if (!pass.repair || orphans.length === 0) return;
  await prepareRepair(services, { ...pass, countRepair: () => {} });
  await blobs.remove(orphans.map(({ key }) => key));
}

/** Returns true if a blob was removed or renamed since it was listed. */
async function isGone({ blobs }: FsckServices, key: string): Promise<boolean> {
  return parsePartKey(key) === undefined && (await blobs.size(key)) === undefined;
}

function findImporting({ ledger, clock }: FsckServices, blobs: readonly string[]): Promise<string[]> {
  return ledger.findImportingBlobs({ blobs, now: clock() });
}

async function checkCounters(services: FsckServices, pass: FsckPass): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await services.ledger.listOwners({ limit: PAGE, ...(after !== undefined && { after }) });
    for (const { owner } of page) {
      if (await services.ledger.recount({ owner, repair: pass.repair }))
        pass.onFault({ kind: 'wrong_count', owner });
    }
    after = page.at(-1)?.owner;
    if (page.length < PAGE) break;
  }
  if (await services.ledger.recountTotals({ repair: pass.repair })) pass.onFault({ kind: 'wrong_totals' });
}
