import { timeOrderedId } from '../../base/ids.ts';
import type { ImportedUpload } from '../../ledger/contract/ledger.ts';
import { blobKey } from '../links.ts';
import type { UploadServices } from '../services.ts';
import { classify, type ImportedUploadOptions, type ImportStatus, toImportedUpload } from './classify.ts';
import type { FoundFile, ImportProblem, ImportSource, SourceOptions } from './source.ts';
import { storeFile } from './store-file.ts';

export interface ImportOptions extends SourceOptions, ImportedUploadOptions {
  readonly source: ImportSource;
  /** The paths at which the old links begin, with a slash at both ends. */
  readonly basePaths: readonly string[];
  /** Only counts what would be imported. */
  readonly dryRun: boolean;
  readonly onProblem: (problem: ImportProblem) => void;
  /** Called after each batch. */
  readonly onProgress?: (report: ImportReport) => void;
  readonly signal?: AbortSignal;
}

export interface ImportReport {
  /** All files found: the sum of `imported`, `already`, `removed`, `expired` and `problems`. */
  files: number;
  /** Bytes of the files found, without those with problems. */
  bytes: number;
  /** Imported files; in a dry run those that would be imported. */
  imported: number;
  importedBytes: number;
  /** The imported files that are hard links to the original ones. */
  linked: number;
  /** Already stored by an earlier import or an upload to the endpoint. */
  already: number;
  /** Removed earlier. Deleted files are not imported again. */
  removed: number;
  /** Already expired according to `retention`. */
  expired: number;
  problems: number;
}

/** Files per ledger transaction. */
const BATCH = 100;
/** Files stored in parallel. */
const PARALLEL = 8;

type ImportServices = Pick<UploadServices, 'ledger' | 'blobs' | 'rules' | 'clock'>;

/**
 * Imports the files of another service. Announces a blob to the ledger, stores its bytes, and then inserts its row. So every file
 * in the ledger is complete, and `porter fsck --repair` removes no bytes whose row is still to come. Ids are derived from the
 * links, so an interrupted import can be repeated. The server may keep running.
 */
export async function importUploads(services: ImportServices, options: ImportOptions): Promise<ImportReport> {
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
  if (!options.dryRun) await addOldPaths(services, options);
  for await (const batch of readBatches(options, report)) {
    await importBatch(services, options, batch, report);
    options.onProgress?.(report);
    if (options.signal?.aborted) break;
  }
  return report;
}

async function addOldPaths(
  { ledger }: ImportServices,
  { basePaths, namespace }: ImportOptions,
): Promise<void> {
  for (const path of basePaths) await ledger.addOldPath({ path, namespace });
}

async function* readBatches(options: ImportOptions, report: ImportReport): AsyncGenerator<FoundFile[]> {
  let batch: FoundFile[] = [];
  for await (const found of options.source.files(options)) {
    if ('problem' in found) {
      report.files += 1;
      reportImportProblem(options, report, found);
    } else if (batch.push(found) === BATCH) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}

/** Counts all files, and those of them that cannot be imported, for a progress bar. */
export async function countFiles(
  options: Pick<ImportOptions, 'source' | keyof SourceOptions>,
): Promise<{ readonly files: number; readonly problems: number }> {
  let files = 0;
  let problems = 0;
  for await (const found of options.source.files(options)) {
    files += 1;
    if ('problem' in found) problems += 1;
  }
  return { files, problems };
}

function reportImportProblem(options: ImportOptions, report: ImportReport, problem: ImportProblem): void {
  report.problems += 1;
  options.onProblem(problem);
}

/** A file that is to be imported. */
interface ImportableFile {
  readonly file: string;
  readonly upload: ImportedUpload;
}

type StoredFile = ImportedUpload & { readonly linked: boolean };

async function importBatch(
  services: ImportServices,
  options: ImportOptions,
  batch: readonly FoundFile[],
  report: ImportReport,
): Promise<void> {
  const files = await inParallel(batch, (found) => findImportable(services, options, found, report));
  if (options.dryRun) {
    const uploads = files.map(({ upload }) => ({ ...upload, linked: false }));
    countResults(uploads, new Set(uploads.map(({ id }) => id)), report);
    return;
  }
  if (files.length === 0) return;
  const announced = await announce(services, files);
  const stored = await inParallel(announced, (file) => storeUpload(services, options, file, report));
  const uploads = stored.map(({ linked: _, ...upload }) => upload);
  const importedIds = await services.ledger.importUploads({
    uploads,
    announced: [...new Set([...files, ...announced])].map(({ upload: { id, blob } }) => ({ id, blob })),
  });
  countResults(stored, new Set(importedIds), report);
}

/** Runs `work` for all items, some at a time. Returns the results that are not undefined. */
async function inParallel<T, Result>(
  items: readonly T[],
  work: (item: T) => Promise<Result | undefined>,
): Promise<Result[]> {
  const done: Result[] = [];
  for (let at = 0; at < items.length; at += PARALLEL) {
    // Waits for all of them before one failure ends the import.
    const results = await Promise.allSettled(items.slice(at, at + PARALLEL).map(work));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    for (const result of results)
      if (result.status === 'fulfilled' && result.value !== undefined) done.push(result.value);
  }
  return done;
}

/**
 * Announces the blobs of the files and returns the files. A killed import may have left a blob under the same key, which another
 * process may be deleting at this moment. Such a file gets a new id, and with it a key that no other process knows.
 */
async function announce(
  { ledger, clock }: ImportServices,
  files: readonly ImportableFile[],
): Promise<readonly ImportableFile[]> {
  const imports = files.map(({ upload: { id, blob } }) => ({ id, blob }));
  const pending = new Set(await ledger.announceImports({ imports, now: clock() }));
  if (pending.size === 0) return files;
  const renamed = files.map((one) => (pending.has(one.upload.blob) ? withNewId(one) : one));
  const added = renamed.filter((one, i) => one !== files[i]);
  await ledger.announceImports({
    imports: added.map(({ upload: { id, blob } }) => ({ id, blob })),
    now: clock(),
  });
  return renamed;
}

function withNewId({ file, upload }: ImportableFile): ImportableFile {
  const id = timeOrderedId(upload.storedAt);
  return { file, upload: { ...upload, id, blob: blobKey(id, upload.name) } };
}

function countResults(
  stored: readonly StoredFile[],
  importedIds: ReadonlySet<string>,
  report: ImportReport,
): void {
  for (const { id, size, linked } of stored) {
    if (!importedIds.has(id)) {
      // Another import has stored the same bytes under the same key.
      report.already += 1;
      continue;
    }
    report.imported += 1;
    report.importedBytes += size;
    if (linked) report.linked += 1;
  }
}

const COUNTER = { already: 'already', removed: 'removed', expired: 'expired' } as const satisfies Record<
  Exclude<ImportStatus, 'new' | 'bytes_missing'>,
  keyof ImportReport
>;

/** Returns undefined if the file is skipped. */
async function findImportable(
  services: ImportServices,
  options: ImportOptions,
  found: FoundFile,
  report: ImportReport,
): Promise<ImportableFile | undefined> {
  report.files += 1;
  report.bytes += found.size;
  const upload = toImportedUpload(services, options, found);
  const status = await classify(services, upload);
  if (status === 'new' || status === 'bytes_missing') return { file: found.file, upload };
  report[COUNTER[status]] += 1;
  return undefined;
}

/** Stores the bytes of a file and returns its upload. Returns undefined if the file cannot be read. */
async function storeUpload(
  services: ImportServices,
  options: ImportOptions,
  { file, upload }: ImportableFile,
  report: ImportReport,
): Promise<StoredFile | undefined> {
  const result = await storeFile(services.blobs, upload.blob, file);
  if ('problem' in result) {
    reportImportProblem(options, report, { file, problem: result.problem });
    return undefined;
  }
  return { ...upload, size: result.size, linked: result.linked };
}
