import type { Upload } from '../base/upload-records.ts';
import type { OpenBlob, PresignOptions } from '../blobs/contract.ts';
import { isDownloadable } from '../policy/retention.ts';
import { type CachedFile, MAX_CACHED_BODY } from './file-cache.ts';
import type { UploadServices } from './services.ts';

export type { OpenBlob, PresignOptions };

/** Bytes of a file, from `start` up to, not including, `end`. */
export interface FileRange {
  readonly start: number;
  readonly end: number;
}

/** Finds files by locator and opens their bytes. */
export interface Downloads {
  /** A file that is known without asking anybody; undefined says nothing. */
  cached(locator: string): CachedFile | undefined;
  /** A file that can be fetched now, or undefined: unknown, not stored yet, expired and removed look alike. */
  find(locator: string): Promise<CachedFile | undefined>;
  /**
   * Its bytes: whole where they are few, else open for reading (the caller closes it). Undefined where lost.
   * `part`: what is wanted, where that is not all.
   */
  open(file: CachedFile, part?: FileRange): Promise<Buffer | OpenBlob | undefined>;
}

export function createDownloads(deps: UploadServices): Downloads {
  const { ledger, blobs, fileCache, clock, log, rules } = deps;
  const lookUps = new Map<string, Promise<CachedFile | undefined>>();

  const visible = (file: CachedFile | undefined) =>
    file && isDownloadable(rules().retention, file.upload, clock()) ? file : undefined;

  async function lookUp(locator: string): Promise<CachedFile | undefined> {
    const running = fileCache.beginLookup(locator);
    const upload = await ledger.find(locator).catch((fault: unknown) => {
      fileCache.endLookup(running, undefined);
      throw fault;
    });
    return fileCache.endLookup(running, upload);
  }

  /** Only a yes is shared: a look-up that began earlier may not know yet of an upload that was just stored. */
  async function lookUpShared(locator: string): Promise<CachedFile | undefined> {
    const running = lookUps.get(locator);
    if (running !== undefined) return (await running) ?? lookUp(locator);
    const own = lookUp(locator).finally(() => lookUps.delete(locator));
    lookUps.set(locator, own);
    return own;
  }

  return {
    cached: (locator) => visible(fileCache.get(locator)),
    find: async (locator) => visible(await lookUpShared(locator)),
    async open({ upload, body }, part) {
      if (body) return body;
      const isSmall = upload.size <= MAX_CACHED_BODY;
      const blob = await blobs.open(upload.blob, isSmall ? undefined : part);
      if (blob === undefined || blob.size !== upload.size) {
        await blob?.close();
        log.error(
          { id: upload.id, size: upload.size, found: blob?.size ?? null },
          'the bytes of an upload are lost',
        );
        return undefined;
      }
      return isSmall ? readWhole(deps, upload, blob) : blob;
    },
  };
}

async function readWhole(deps: UploadServices, upload: Upload, blob: OpenBlob): Promise<Buffer> {
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.read(0, blob.size)) chunks.push(chunk);
    const [only] = chunks;
    const body = chunks.length === 1 && only instanceof Buffer ? only : Buffer.concat(chunks);
    deps.fileCache.setBody(upload, body);
    return body;
  } finally {
    await blob.close();
  }
}
