import type { ImportedUpload } from '../../ledger/contract/ledger.ts';
import type { UploadServices } from '../services.ts';
import { classify, type ImportStatus, toImportedUpload } from './classify.ts';
import type { FoundFile, ImportProblem, ImportSource, SourceOptions } from './source.ts';
import { storeFile } from './store-file.ts';

export interface ImportOptions extends SourceOptions {
  readonly source: ImportSource;
  /** Where the old links begin; a slash at either end. */
  readonly basePaths: readonly string[];
  /** What the locators start with: the door that these files belong to. */
  readonly namespace: string;
  /** Who is charged for files of which nobody knows the owner. */
  readonly fallbackOwner: string;
  /** Milliseconds after its upload at which a file ends; null = as `retention` says. */
  readonly expireAfterMs: number | null;
  /** Looks and counts, and changes nothing. */
  readonly dryRun: boolean;
  readonly onProblem: (problem: ImportProblem) => void;
  /** Told after each batch. */
  readonly onProgress?: (report: ImportReport) => void;
  readonly signal?: AbortSignal;
}

export interface ImportReport {
  /** Files that were looked at, and their bytes. */
  files: number;
  bytes: number;
  /** Files that are new here; in a dry run those that would be. */
  imported: number;
  importedBytes: number;
  /** Of these, those that share their bytes with the old service's file (hard links). */
  linked: number;
  /** Here before, by an earlier import or by an upload through the door. */
  already: number;
  /** Removed here before: what was deleted stays deleted. */
  removed: number;
  /** Older than `retention` keeps. */
  expired: number;
  problems: number;
}

/** Files that one transaction of the ledger takes. */
const BATCH = 100;
/** Files of a batch whose bytes are brought at the same time. */
const AT_ONCE = 8;

/**
 * Takes over another service's files: bytes first, then their row, so that whatever can be found is whole. Keys
 * follow from the links, so that an import that was cut off is simply run again. Safe beside a server.
 */
export async function importUploads(deps: UploadServices, options: ImportOptions): Promise<ImportReport> {
  const report: ImportReport = {
    files: 0,
    bytes: 0,
    imported: 0,
    importedBytes: 0,
    linked: 0,
    already: 0,
    removed: 0,
    expired: 0,
    problems: 0,
  };
  if (!options.dryRun) await rememberPaths(deps, options);
  for await (const batch of batches(options, report)) {
    await takeBatch(deps, options, batch, report);
    options.onProgress?.(report);
    if (options.signal?.aborted) break;
  }
  return report;
}

async function rememberPaths(
  { ledger }: UploadServices,
  { basePaths, namespace }: ImportOptions,
): Promise<void> {
  for (const path of basePaths) await ledger.addOldPath({ path, namespace });
}

async function* batches(options: ImportOptions, report: ImportReport): AsyncGenerator<FoundFile[]> {
  let batch: FoundFile[] = [];
  for await (const found of options.source.files(options)) {
    if ('problem' in found) note(options, report, found);
    else if (batch.push(found) === BATCH) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}

/** How many files there are, for a progress bar. Problems are left to the import itself. */
export async function countFiles(
  options: Pick<ImportOptions, 'source' | keyof SourceOptions>,
): Promise<number> {
  let count = 0;
  for await (const found of options.source.files(options)) if (!('problem' in found)) count += 1;
  return count;
}

function note(options: ImportOptions, report: ImportReport, problem: ImportProblem): void {
  report.problems += 1;
  options.onProblem(problem);
}

type Ready = ImportedUpload & { readonly linked: boolean };

async function takeBatch(
  deps: UploadServices,
  options: ImportOptions,
  batch: readonly FoundFile[],
  report: ImportReport,
): Promise<void> {
  const ready: Ready[] = [];
  for (let at = 0; at < batch.length; at += AT_ONCE) {
    const some = batch.slice(at, at + AT_ONCE).map((file) => takeFile(deps, options, file, report));
    // All of them have ended before one failure ends the import.
    const ends = await Promise.allSettled(some);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    for (const end of ends) if (end.status === 'fulfilled' && end.value) ready.push(end.value);
  }
  const uploads = ready.map(({ linked: _, ...upload }) => upload);
  const adopted = options.dryRun ? ready.map(({ id }) => id) : await adopt(deps, uploads);
  count(ready, new Set(adopted), report);
}

async function adopt({ ledger }: UploadServices, uploads: readonly ImportedUpload[]): Promise<string[]> {
  return uploads.length === 0 ? [] : await ledger.importUploads({ uploads });
}

function count(ready: readonly Ready[], adopted: ReadonlySet<string>, report: ImportReport): void {
  for (const { id, size, linked } of ready) {
    if (!adopted.has(id)) {
      // Another import was quicker; the bytes are the same, under the same key.
      report.already += 1;
      continue;
    }
    report.imported += 1;
    report.importedBytes += size;
    if (linked) report.linked += 1;
  }
}

const TALLY = { already: 'already', removed: 'removed', expired: 'expired' } as const satisfies Record<
  Exclude<ImportStatus, 'new' | 'bytes_missing'>,
  keyof ImportReport
>;

/** Its bytes are in place when it is returned; undefined where it needs no row. */
async function takeFile(
  deps: UploadServices,
  options: ImportOptions,
  found: FoundFile,
  report: ImportReport,
): Promise<Ready | undefined> {
  report.files += 1;
  report.bytes += found.size;
  const adoption = toImportedUpload(deps, options, found);
  const verdict = await classify(deps, adoption);
  if (verdict !== 'new' && verdict !== 'bytes_missing') {
    report[TALLY[verdict]] += 1;
    return undefined;
  }
  if (options.dryRun) return { ...adoption, linked: false };
  const placed = await storeFile(deps.blobs, adoption.blob, found.file);
  if ('problem' in placed) {
    note(options, report, { file: found.file, problem: placed.problem });
    return undefined;
  }
  return { ...adoption, size: placed.size, linked: placed.linked };
}
