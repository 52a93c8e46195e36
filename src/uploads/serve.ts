import type { Upload } from '../base/records.ts';
import type { LinkOrder, OpenBlob } from '../blobs/contract.ts';
import { isVisible } from '../policy/retention.ts';
import type { UploadDeps } from './deps.ts';
import { type HotFile, type HotFiles, SMALL_BODY } from './hot.ts';

export type { LinkOrder, OpenBlob };

/** Bytes of a file, from `start` up to, not including, `end`. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

export interface ServeDeps extends UploadDeps {
  readonly hot: HotFiles;
}

/** Finds files by locator and opens their bytes. */
export interface Serving {
  /** A file that is known without asking anybody; undefined says nothing. */
  known(locator: string): HotFile | undefined;
  /** A file that can be fetched now, or undefined: unknown, not stored yet, expired and removed look alike. */
  find(locator: string): Promise<HotFile | undefined>;
  /**
   * Its bytes: whole where they are few, else open for reading (the caller closes it). Undefined where lost.
   * `part`: what is wanted, where that is not all.
   */
  open(file: HotFile, part?: Part): Promise<Buffer | OpenBlob | undefined>;
}

export function createServing(deps: ServeDeps): Serving {
  const { ledger, blobs, hot, clock, log, rules } = deps;
  const lookUps = new Map<string, Promise<HotFile | undefined>>();

  const visible = (file: HotFile | undefined) =>
    file && isVisible(rules().retention, file.upload, clock()) ? file : undefined;

  async function lookUp(locator: string): Promise<HotFile | undefined> {
    const running = hot.begin(locator);
    const upload = await ledger.find(locator).catch((fault: unknown) => {
      hot.end(running, undefined);
      throw fault;
    });
    return hot.end(running, upload);
  }

  /** Only a yes is shared: a look-up that began earlier may not know yet of an upload that was just stored. */
  async function lookUpShared(locator: string): Promise<HotFile | undefined> {
    const running = lookUps.get(locator);
    if (running !== undefined) return (await running) ?? lookUp(locator);
    const own = lookUp(locator).finally(() => lookUps.delete(locator));
    lookUps.set(locator, own);
    return own;
  }

  return {
    known: (locator) => visible(hot.get(locator)),
    find: async (locator) => visible(await lookUpShared(locator)),
    async open({ upload, body }, part) {
      if (body) return body;
      const isSmall = upload.size <= SMALL_BODY;
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

async function readWhole(deps: ServeDeps, upload: Upload, blob: OpenBlob): Promise<Buffer> {
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.read(0, blob.size)) chunks.push(chunk);
    const [only] = chunks;
    const body = chunks.length === 1 && only instanceof Buffer ? only : Buffer.concat(chunks);
    deps.hot.keepBody(upload, body);
    return body;
  } finally {
    await blob.close();
  }
}
