import { fileKeyOfThumbnail, idInBlobKey, parsePartKey } from '../../base/blob-keys.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { StoredBlob } from '../../blobs/contract.ts';
import { deletePendingBlobs } from '../blobs/delete-pending.ts';
import { publishPendingBlobs } from '../blobs/publish.ts';
import { removeUploads } from '../remove.ts';
import { mayRemoveFiles } from '../store-identity/store-state.ts';
import type { FsckFault } from './faults.ts';
import { allowedRepairs, RepairCounter, type RepairLimit } from './repair-limit.ts';

const PAGE = 500;
/** Maximum number of blobs that could not be deleted that one run reports. */
const MAX_UNDELETABLE = 1000;
/** A blob that was written more recently may belong to work that is still running. */
const ORPHAN_AGE_MS = 3600_000;

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
  /** Faults that remain after a repair. */
  left: number;
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
 * the number of files. A repair deletes the bytes of orphaned thumbnails only: it moves all other orphans to lost+found in the store.
 * It begins with a pass that only counts, and throws `TooManyRepairsError` or `StaleLedgerError` if ledger and store probably do not belong together.
 */
export async function fsck(services: FsckServices, options: FsckOptions): Promise<FsckReport> {
  if (!options.repair) return await runPass(services, options, { repair: false, countRepair: () => {} });
  await deletePendingBlobs(services, { postponed: true });
  const limit = options.force ? undefined : await countRepairs(services, options);
  return await runPass(services, options, { repair: true, countRepair: () => limit?.count() });
}

/** Counts the files that a repair would remove or change. Throws if they are too many, or newer than the ledger. */
async function countRepairs(services: FsckServices, { onProgress }: FsckOptions): Promise<RepairLimit> {
  const counter = await RepairCounter.create(services.ledger);
  const { uploads, blobs } = await checkFiles(services, {
    repair: false,
    countRepair: () => {},
    onFault: (fault) => counter.add(fault),
    onProgress,
    report: { uploads: 0, blobs: 0, faults: 0, left: 0 },
  });
  return allowedRepairs(counter, Math.max(uploads, blobs));
}

async function runPass(
  services: FsckServices,
  options: FsckOptions,
  { repair, countRepair }: Pick<FsckPass, 'repair' | 'countRepair'>,
): Promise<FsckReport> {
  const report: FsckReport = { uploads: 0, blobs: 0, faults: 0, left: 0 };
  const onFault = (fault: FsckFault) => {
    report.faults += 1;
    if (!repair || fault.kind === 'undeletable') report.left += 1;
    options.onFault(fault);
  };
  const pass: FsckPass = { repair, countRepair, onFault, onProgress: options.onProgress, report };
  await checkFiles(services, pass);
  await checkCounters(services, pass);
  await checkDeletions(services, pass);
  return report;
}

/** Reports blobs that could not be deleted. A repair has tried to delete them again before. */
async function checkDeletions({ ledger }: FsckServices, { onFault }: FsckPass): Promise<void> {
  for (const failed of await ledger.failedDeletes(MAX_UNDELETABLE))
    onFault({ kind: 'undeletable', ...failed });
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
  const { id, size: expected } = upload;
  let found = await services.blobs.size(upload.blob);
  if (found === undefined && upload.unpublishedBlob !== undefined) {
    await publishPendingBlobs(services);
    found = await services.blobs.size(upload.blob);
  }
  if (found === expected) return;
  // The upload may have been removed since its page was read.
  if ((await services.ledger.findExistingIds([id])).length === 0) return;
  // An import may be writing these bytes again, or have written them since their size was read.
  if ((await findImporting(services, [upload.blob])).length > 0) return;
  if ((await services.blobs.size(upload.blob)) === expected) return;
  if (found === undefined) await repairMissing(services, pass, upload);
  else await repairSize(services, pass, upload, found);
}

async function repairMissing(services: FsckServices, pass: FsckPass, upload: Upload): Promise<void> {
  const { id, owner, name } = upload;
  pass.onFault({ kind: 'missing', id, owner, name });
  if (!pass.repair) return;
  await prepareRepair(services, pass);
  await removeUploads(services, { ids: [id], reason: 'missing', detail: 'its bytes were missing (fsck)' });
}

/** Moves the blob before its upload is removed, because the removal deletes the blob. */
async function repairSize(
  services: FsckServices,
  pass: FsckPass,
  upload: Upload,
  found: number,
): Promise<void> {
  const { id, owner, name, size: expected, blob } = upload;
  const fault = { kind: 'wrong_size', id, owner, name, expected, found } as const;
  if (!pass.repair) return pass.onFault(fault);
  await prepareRepair(services, pass);
  const movedTo = await services.blobs.moveToLostAndFound(blob);
  const place = movedTo === undefined ? '' : `, and is kept as ${movedTo}`;
  const detail = `its file had ${found} bytes instead of ${expected}${place} (fsck)`;
  await removeUploads(services, { ids: [id], reason: 'missing', detail });
  pass.onFault({ ...fault, ...(movedTo !== undefined && { movedTo }) });
}

async function prepareRepair(services: FsckServices, { countRepair }: FsckPass): Promise<void> {
  countRepair();
  await assertRepairable(services);
}

/** Throws if the volume was unmounted, or the ledger moved, since the check began. */
async function assertRepairable(services: FsckServices): Promise<void> {
  if (await mayRemoveFiles(services)) return;
  throw new Error(
    'The file store was replaced or the database was moved while porter fsck was running. Nothing more is repaired. ' +
      'Check that the volume of storage.blobs is mounted and that no porter move is running, then run porter fsck again.',
  );
}

async function checkBlobs(services: FsckServices, pass: FsckPass): Promise<void> {
  const writtenBefore = services.clock() - ORPHAN_AGE_MS;
  let page: StoredBlob[] = [];
  const checkPage = async () => {
    pass.report.blobs += page.filter(({ key }) => fileKeyOfThumbnail(key) === undefined).length;
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
 * Other keys with the id of an upload are the remains of attempts that failed. A thumbnail belongs to the upload of its file.
 */
async function findOrphans(
  services: FsckServices,
  pass: FsckPass,
  page: readonly StoredBlob[],
): Promise<void> {
  const { ledger } = services;
  const keys = page.map(({ key }) => ({ id: idInBlobKey(key), blob: ledgerKeyOf(key) }));
  const known = new Set(await ledger.findKnownBlobs(keys));
  const unknown = page.filter((_, index) => !known.has(keys[index]?.blob ?? ''));
  const unknownKeys = unknown.map(({ key }) => key);
  const importing = new Set(await findImporting(services, unknownKeys));
  const orphans: StoredBlob[] = [];
  for (const blob of unknown) {
    if (!importing.has(blob.key) && !(await isGone(services, blob.key))) orphans.push(blob);
  }
  if (pass.repair && orphans.length > 0) await assertRepairable(services);
  for (const { key, size, modifiedAt } of orphans) {
    if (pass.repair) pass.countRepair();
    const movedTo = pass.repair ? await removeOrphan(services, pass, key) : undefined;
    pass.onFault({ kind: 'orphan', key, size, modifiedAt, ...(movedTo !== undefined && { movedTo }) });
  }
}

/** Returns the key under which the ledger knows a blob, a thumbnail or the remains of an unfinished write. */
function ledgerKeyOf(key: string): string {
  return parsePartKey(key) ?? fileKeyOfThumbnail(key) ?? key;
}

/** Moves an orphan to lost+found, and returns its name there. Deletes a thumbnail instead, because its file was removed. */
async function removeOrphan(
  services: FsckServices,
  pass: FsckPass,
  key: string,
): Promise<string | undefined> {
  if (fileKeyOfThumbnail(key) === undefined) return await moveOrphan(services, pass, key);
  pass.report.left += (await services.blobs.remove([key])).length;
  return undefined;
}

/** Moves an orphan to lost+found. If that fails, logs the reason, so that the repair continues with the other orphans. */
async function moveOrphan(
  { blobs, log }: FsckServices,
  { report }: FsckPass,
  key: string,
): Promise<string | undefined> {
  return await blobs.moveToLostAndFound(key).catch((err: unknown) => {
    log.error(
      { err, key },
      'an orphan cannot be moved to lost+found; check that Porter may write to storage.blobs, then run: porter fsck --repair',
    );
    report.left += 1;
    return undefined;
  });
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
