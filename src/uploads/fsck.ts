import type { Upload } from '../base/upload-records.ts';
import { deletePendingBlobs, removeUploads } from './remove.ts';
import type { UploadServices } from './services.ts';

const PAGE = 500;

export type FsckFault =
  /** The ledger says stored, the blob is not there. Repair: the upload is removed, with the reason on record. */
  | { readonly kind: 'missing'; readonly id: string; readonly owner: string; readonly name: string }
  /** The blob is not as long as the ledger says. Repair: the ledger learns the true size. */
  | { readonly kind: 'wrong_size'; readonly id: string; readonly expected: number; readonly found: number }
  /** A blob or a leftover of a broken write that no upload owns. Repair: it is removed. */
  | { readonly kind: 'orphan'; readonly key: string; readonly size: number }
  /** An owner's counters do not say what its uploads add up to. Repair: they are counted afresh. */
  | { readonly kind: 'wrong_count'; readonly owner: string };

export interface FsckOptions {
  readonly repair: boolean;
  readonly onFault: (fault: FsckFault) => void;
  /** Told after each page what was looked at so far. */
  readonly onProgress?: (checked: { uploads: number; blobs: number }) => void;
}

export interface FsckReport {
  uploads: number;
  blobs: number;
  faults: number;
}

/** Holds the ledger against the blobs, in pages, beside a running server. Memory does not grow with the store. */
export async function fsck(deps: UploadServices, options: FsckOptions): Promise<FsckReport> {
  const report: FsckReport = { uploads: 0, blobs: 0, faults: 0 };
  const counted: FsckOptions = {
    ...options,
    onFault(fault) {
      report.faults += 1;
      options.onFault(fault);
    },
  };
  if (options.repair) await deletePendingBlobs(deps);
  await checkUploads(deps, counted, report);
  await checkBlobs(deps, counted, report);
  await checkCounters(deps, counted);
  return report;
}

async function checkUploads(deps: UploadServices, options: FsckOptions, report: FsckReport): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await deps.ledger.listUploads({
      state: 'stored',
      limit: PAGE,
      ...(after !== undefined && { after }),
    });
    for (const upload of page) await checkUpload(deps, options, upload);
    report.uploads += page.length;
    options.onProgress?.(report);
    after = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}

async function checkUpload(deps: UploadServices, options: FsckOptions, upload: Upload): Promise<void> {
  const { id, owner, name, size: expected } = upload;
  const found = await deps.blobs.size(upload.blob);
  if (found === expected) return;
  // It may have been removed since its page was read.
  if ((await deps.ledger.findExistingIds([id])).length === 0) return;
  if (found === undefined) {
    options.onFault({ kind: 'missing', id, owner, name });
    if (options.repair)
      await removeUploads(deps, { ids: [id], reason: 'missing', detail: 'its bytes were lost (fsck)' });
  } else {
    options.onFault({ kind: 'wrong_size', id, expected, found });
    if (options.repair) await deps.ledger.correctSize({ id, size: found });
  }
}

async function checkBlobs(deps: UploadServices, options: FsckOptions, report: FsckReport): Promise<void> {
  let page: { key: string; size: number }[] = [];
  const look = async () => {
    report.blobs += page.length;
    await checkOwners(deps, options, page);
    options.onProgress?.(report);
    page = [];
  };
  for await (const blob of deps.blobs.list()) {
    page.push(blob);
    if (page.length === PAGE) await look();
  }
  await look();
}

/** A blob's upload is named by the stem of its key; the row is written before the first byte. */
async function checkOwners(
  deps: UploadServices,
  options: FsckOptions,
  page: { key: string; size: number }[],
): Promise<void> {
  const known = new Set(await deps.ledger.findExistingIds(page.map(({ key }) => idOfKey(key))));
  const orphans = page.filter(({ key }) => !known.has(idOfKey(key)));
  for (const { key, size } of orphans) options.onFault({ kind: 'orphan', key, size });
  if (options.repair && orphans.length > 0) await deps.blobs.remove(orphans.map(({ key }) => key));
}

function idOfKey(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).split('.', 1)[0] ?? '';
}

async function checkCounters(deps: UploadServices, options: FsckOptions): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await deps.ledger.listOwners({ limit: PAGE, ...(after !== undefined && { after }) });
    for (const { owner } of page) {
      if (await deps.ledger.recount({ owner, repair: options.repair }))
        options.onFault({ kind: 'wrong_count', owner });
    }
    after = page.at(-1)?.owner;
    if (page.length < PAGE) return;
  }
}
