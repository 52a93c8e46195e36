import type { Upload } from '../base/upload-records.ts';
import type { ByteRange, OpenBlob, PresignOptions } from '../blobs/contract.ts';
import { isDownloadable } from '../policy/retention.ts';
import { type CachedFile, MAX_CACHED_BODY } from './file-cache.ts';
import type { UploadServices } from './services.ts';

export type { ByteRange, OpenBlob, PresignOptions };

/** Finds files by locator and opens their bytes. */
export interface Downloads {
  /** Returns a downloadable file from the cache, without asking the ledger. Undefined if it is not in the cache. */
  cached(locator: string): CachedFile | undefined;
  /** Returns a downloadable file. Undefined if it is unknown, not stored yet, expired or removed. */
  find(locator: string): Promise<CachedFile | undefined>;
  /**
   * Returns the whole content of a small file, else an open blob that the caller closes. Undefined if the bytes are lost.
   * `range`: the part that will be read, if not all of it.
   */
  open(file: CachedFile, range?: ByteRange): Promise<Buffer | OpenBlob | undefined>;
}

type DownloadServices = Pick<UploadServices, 'ledger' | 'blobs' | 'fileCache' | 'clock' | 'log' | 'rules'>;

export function createDownloads(services: DownloadServices): Downloads {
  const { ledger, blobs, fileCache, clock, log, rules } = services;
  const lookups = new Map<string, Promise<CachedFile | undefined>>();

  const downloadable = (file: CachedFile | undefined) =>
    file && isDownloadable(rules().retention, file.upload, clock()) ? file : undefined;

  async function lookUp(locator: string): Promise<CachedFile | undefined> {
    const lookup = fileCache.beginLookup(locator);
    const upload = await ledger.find(locator).catch((error: unknown) => {
      fileCache.endLookup(lookup, undefined);
      throw error;
    });
    return fileCache.endLookup(lookup, upload);
  }

  /** Shares only found files: a lookup that began earlier may miss an upload that was stored since. */
  async function lookUpShared(locator: string): Promise<CachedFile | undefined> {
    const running = lookups.get(locator);
    if (running !== undefined) return (await running) ?? lookUp(locator);
    const lookup = lookUp(locator).finally(() => lookups.delete(locator));
    lookups.set(locator, lookup);
    return lookup;
  }

  return {
    cached: (locator) => downloadable(fileCache.get(locator)),
    find: async (locator) => downloadable(await lookUpShared(locator)),
    async open({ upload, body }, range) {
      if (body) return body;
      const isSmall = upload.size <= MAX_CACHED_BODY;
      const blob = await blobs.open(upload.blob, isSmall ? undefined : range);
      if (blob === undefined || blob.size !== upload.size) {
        await blob?.close();
        log.error(
          { id: upload.id, size: upload.size, found: blob?.size ?? null },
          'the bytes of a stored upload are missing or incomplete; run porter fsck',
        );
        return undefined;
      }
      return isSmall ? readWhole(services, upload, blob) : blob;
    },
  };
}

async function readWhole(
  { fileCache }: Pick<UploadServices, 'fileCache'>,
  upload: Upload,
  blob: OpenBlob,
): Promise<Buffer> {
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.read(0, blob.size)) chunks.push(chunk);
    const [only] = chunks;
    const body = chunks.length === 1 && only instanceof Buffer ? only : Buffer.concat(chunks);
    fileCache.setBody(upload, body);
    return body;
  } finally {
    await blob.close();
  }
}
