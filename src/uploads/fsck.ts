import type { Upload } from '../base/upload-records.ts';
import { idInBlobKey } from './links.ts';
import { deletePendingBlobs, removeUploads } from './remove.ts';

const PAGE = 500;

/** A difference between the ledger and the stored files. */
export type FsckFault =
  /** The blob of a stored upload is missing. Repair: removes the upload and records the reason. */
  | { readonly kind: 'missing'; readonly id: string; readonly owner: string; readonly name: string }
  /** The blob has another size than the ledger. Repair: corrects the size in the ledger. */
  | { readonly kind: 'wrong_size'; readonly id: string; readonly expected: number; readonly found: number }
  /** A blob, or part of an aborted write, without an upload. Repair: deletes it. */
  | { readonly kind: 'orphan'; readonly key: string; readonly size: number }
  /** An owner's counters differ from the sum of its uploads. Repair: counts them again. */
  | { readonly kind: 'wrong_count'; readonly owner: string };

export interface FsckOptions {
  readonly repair: boolean;
  readonly onFault: (fault: FsckFault) => void;
  /** Called after each page. */
  readonly onProgress?: (checked: { uploads: number; blobs: number }) => void;
}

export interface FsckReport {
  uploads: number;
  blobs: number;
  faults: number;
}

type FsckServices = Parameters<typeof removeUploads>[0];

/**
 * Checks the database against the stored files, page by page. The server may keep running. Memory use does not depend on
 * the number of files.
 */
export async function fsck(services: FsckServices, options: FsckOptions): Promise<FsckReport> {
  const report: FsckReport = { uploads: 0, blobs: 0, faults: 0 };
  const counted: FsckOptions = {
    ...options,
    onFault(fault) {
      report.faults += 1;
      options.onFault(fault);
    },
  };
  if (options.repair) await deletePendingBlobs(services);
  await checkUploads(services, counted, report);
  await checkBlobs(services, counted, report);
  await checkCounters(services, counted);
  return report;
}

async function checkUploads(services: FsckServices, options: FsckOptions, report: FsckReport): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await services.ledger.listUploads({
      state: 'stored',
      limit: PAGE,
      ...(after !== undefined && { after }),
    });
    for (const upload of page) await checkUpload(services, options, upload);
    report.uploads += page.length;
    options.onProgress?.(report);
    after = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}

async function checkUpload(services: FsckServices, options: FsckOptions, upload: Upload): Promise<void> {
  const { id, owner, name, size: expected } = upload;
  const found = await services.blobs.size(upload.blob);
  if (found === expected) return;
  // The upload may have been removed since its page was read.
  if ((await services.ledger.findExistingIds([id])).length === 0) return;
  if (found === undefined) {
    options.onFault({ kind: 'missing', id, owner, name });
    if (options.repair)
      await removeUploads(services, {
        ids: [id],
        reason: 'missing',
        detail: 'its bytes were missing (fsck)',
      });
  } else {
    options.onFault({ kind: 'wrong_size', id, expected, found });
    if (options.repair) await services.ledger.correctSize({ id, size: found });
  }
}

async function checkBlobs(services: FsckServices, options: FsckOptions, report: FsckReport): Promise<void> {
  let page: { key: string; size: number }[] = [];
  const checkPage = async () => {
    report.blobs += page.length;
    await findOrphans(services, options, page);
    options.onProgress?.(report);
    page = [];
  };
  for await (const blob of services.blobs.list()) {
    page.push(blob);
    if (page.length === PAGE) await checkPage();
  }
  await checkPage();
}

/** A key contains the id of its upload, and the upload is in the ledger before its first byte is written. */
async function findOrphans(
  services: FsckServices,
  options: FsckOptions,
  page: { key: string; size: number }[],
): Promise<void> {
  const known = new Set(await services.ledger.findExistingIds(page.map(({ key }) => idInBlobKey(key))));
  const orphans = page.filter(({ key }) => !known.has(idInBlobKey(key)));
  for (const { key, size } of orphans) options.onFault({ kind: 'orphan', key, size });
  if (options.repair && orphans.length > 0) await services.blobs.remove(orphans.map(({ key }) => key));
}

async function checkCounters(services: FsckServices, options: FsckOptions): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await services.ledger.listOwners({ limit: PAGE, ...(after !== undefined && { after }) });
    for (const { owner } of page) {
      if (await services.ledger.recount({ owner, repair: options.repair }))
        options.onFault({ kind: 'wrong_count', owner });
    }
    after = page.at(-1)?.owner;
    if (page.length < PAGE) return;
  }
}
