import { ownerNamesFor } from '../../base/owners.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { PageKey } from '../../ledger/contract/ledger.ts';
import { isDownloadable } from '../../policy/retention.ts';
import type { UploadServices } from '../services.ts';

const PAGE = 200;

type ArchiveServices = Pick<UploadServices, 'ledger' | 'blobs' | 'rules' | 'clock' | 'log'>;

/**
 * Returns a ZIP archive (with ZIP64 if needed) of all stored files of a user, the oldest first. One file is open at a time, and
 * only while the reader reads. Files whose bytes are lost are left out and logged.
 */
export async function openArchive(
  services: ArchiveServices,
  owner: string,
): Promise<ReadableStream<Uint8Array>> {
  // Loaded only here, because few requests need it.
  const { makeZip } = await import('client-zip');
  return makeZip(archiveEntries(services, owner));
}

async function* archiveEntries(services: ArchiveServices, owner: string) {
  const names = new UniqueNames();
  for await (const upload of storedFiles(services, owner)) {
    const blob = await services.blobs.open(upload.blob);
    if (blob === undefined) {
      services.log.error({ id: upload.id }, 'the bytes of a stored upload are missing; run porter fsck');
      continue;
    }
    yield {
      name: names.add(upload),
      size: BigInt(blob.size),
      lastModified: new Date(upload.storedAt ?? upload.createdAt),
      input: readAll(blob),
    };
  }
}

async function* readAll(blob: {
  readonly size: number;
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    // Copied, because a store may reuse the memory of a chunk.
    for await (const chunk of blob.read(0, blob.size)) yield new Uint8Array(chunk);
  } finally {
    await blob.close();
  }
}

async function* storedFiles(
  { ledger, rules, clock }: ArchiveServices,
  owner: string,
): AsyncGenerator<Upload> {
  const query = { owners: ownerNamesFor(owner), state: 'stored', sort: 'oldest', limit: PAGE } as const;
  for (let after: PageKey | undefined; ; ) {
    const { files, next } = await ledger.listFiles({ ...query, ...(after && { after }) });
    for (const file of files) if (isDownloadable(rules().retention, file, clock())) yield file;
    if (next === null) return;
    after = next;
  }
}

/** Builds the names in the archive: a folder for each day, and a number after a name that was used before. */
class UniqueNames {
  private readonly seen = new Map<string, number>();

  add({ name, storedAt, createdAt }: Pick<Upload, 'name' | 'storedAt' | 'createdAt'>): string {
    const day = new Date(storedAt ?? createdAt).toISOString().slice(0, 10);
    const key = `${day}/${name}`;
    const times = (this.seen.get(key) ?? 0) + 1;
    this.seen.set(key, times);
    if (times === 1) return key;
    const dot = name.lastIndexOf('.');
    const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
    return this.add({ name: `${stem} (${times})${extension}`, storedAt, createdAt });
  }
}
