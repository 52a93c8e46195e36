import { LRUCache } from 'lru-cache';
import { mayHaveThumbnails, type ThumbnailWidth, thumbnailBlobKey } from '../../base/blob-keys.ts';
import { createFairPlaces } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { OpenBlob } from '../../blobs/contract.ts';
import { PICTURE_KIND_BYTES, pictureKind } from '../../policy/media-type.ts';
import type { Thumbnails, UploadServices } from '../services.ts';
import { MAX_PICTURE_BYTES, MEMORY_BYTES, PLACES } from './limits.ts';
import { createSharedWork } from './shared-work.ts';
import { createShrinker, INSTALL_DECODER, type Shrinker, type ShrinkResult } from './shrinker.ts';
import { isValid, type KnownThumbnail, readThumbnail, writeThumbnail } from './thumbnail-files.ts';

/*
 * The thumbnail of one file and width:
 *
 *   in memory? ── in the store? ── (its owner's turn) ── made from the file ──> memory and store
 *
 * A removal of the file deletes the keys of its thumbnails (blobs/delete-pending.ts). A thumbnail that was made meanwhile is deleted
 * here, because its upload is gone when it is written.
 */

type ThumbnailServices = Pick<
  UploadServices,
  'ledger' | 'blobs' | 'clock' | 'log' | 'metrics' | 'instance' | 'spaceReserve'
>;

export function createThumbnails(
  services: ThumbnailServices,
  shrinker: Shrinker = createShrinker(),
): Thumbnails {
  const { blobs, clock, log, metrics } = services;
  const memory = new LRUCache<string, KnownThumbnail>({
    max: 10_000,
    maxSize: MEMORY_BYTES,
    sizeCalculation: (known) => (known.kind === 'picture' ? known.bytes.length : 200),
  });
  const places = createFairPlaces(PLACES);
  const shared = createSharedWork<KnownThumbnail>();
  let isOn = true;

  async function load(upload: Upload, width: ThumbnailWidth, signal: AbortSignal): Promise<KnownThumbnail> {
    const key = thumbnailBlobKey(upload.blob, width);
    const stored = await readThumbnail(blobs, key);
    const known =
      stored !== undefined && isValid(stored, clock())
        ? stored
        : await makeInTurn(upload, width, key, signal);
    memory.set(key, known);
    return known;
  }

  async function makeInTurn(
    upload: Upload,
    width: ThumbnailWidth,
    key: string,
    signal: AbortSignal,
  ): Promise<KnownThumbnail> {
    const giveBack = await places.take(upload.owner, signal);
    try {
      return await make(upload, width, key);
    } finally {
      giveBack();
    }
  }

  async function make(upload: Upload, width: ThumbnailWidth, key: string): Promise<KnownThumbnail> {
    const made = memory.get(key);
    if (made !== undefined && isValid(made, clock())) return made;
    const start = performance.now();
    const blob = await blobs.open(upload.blob);
    if (blob === undefined || blob.size !== upload.size) {
      await blob?.close();
      throw new Refusal('not_found');
    }
    let result: ShrinkResult | undefined;
    try {
      result = await shrinkBlob(blob, width, shrinker);
    } finally {
      await blob.close();
    }
    // Nothing is written, because reading the first bytes again is as fast as reading a record.
    if (result === undefined) return noThumbnail('it is no picture');
    report(upload, result, performance.now() - start);
    const known = toKnown(result);
    await keep(upload, key, known);
    return known;
  }

  function noThumbnail(reason: string, isFinal = true): KnownThumbnail {
    return { kind: 'none', reason, isFinal, at: clock() };
  }

  function toKnown(result: ShrinkResult): KnownThumbnail {
    if (result.kind === 'made') return { kind: 'picture', bytes: result.thumbnail };
    if (result.kind === 'damaged') return noThumbnail(result.reason);
    if (result.kind === 'gave_up') return noThumbnail(result.reason, false);
    throw new Refusal('unavailable');
  }

  function report({ id, owner }: Upload, result: ShrinkResult, ms: number): void {
    metrics.thumbnailMade(result.kind, ms);
    if (result.kind === 'made') return;
    const { reason } = result;
    if (result.kind === 'damaged') log.debug({ id, owner, reason }, 'no thumbnail: the picture is damaged');
    else if (result.kind === 'gave_up') log.warn({ id, owner, reason }, 'gave up the thumbnail of a picture');
    else log.error({ id, reason }, 'a thumbnail cannot be made now; the next request tries again');
  }

  /** Stores a thumbnail. If that fails, it stays in memory only. Deletes it again if its upload was removed meanwhile. */
  async function keep(upload: Upload, key: string, known: KnownThumbnail): Promise<void> {
    try {
      await services.spaceReserve.check(known.kind === 'picture' ? known.bytes.length : 0);
      await writeThumbnail(blobs, key, known, services.instance);
    } catch (err) {
      log.warn(
        { err, id: upload.id },
        'a thumbnail cannot be stored and is kept in memory; check that Porter may write to storage.blobs',
      );
      return;
    }
    const current = await services.ledger.find(upload.locator);
    if (current?.id !== upload.id || current.blob !== upload.blob) await blobs.remove([key]);
  }

  const mayExist = ({ blob, size }: Upload) => isOn && size <= MAX_PICTURE_BYTES && mayHaveThumbnails(blob);

  return {
    isOn: () => isOn,
    mayExist,
    async start() {
      const problem = await shrinker.findProblem();
      isOn = problem === undefined;
      if (problem !== undefined) log.error({ reason: problem }, THUMBNAILS_OFF);
      return isOn;
    },
    async find(upload, width, signal) {
      if (!mayExist(upload)) return undefined;
      const key = thumbnailBlobKey(upload.blob, width);
      const remembered = memory.get(key);
      const known =
        remembered !== undefined && isValid(remembered, clock())
          ? remembered
          : await shared.run(key, (ended) => load(upload, width, ended), signal);
      return known.kind === 'picture' ? known.bytes : undefined;
    },
    close: () => shrinker.close(),
  };
}

const THUMBNAILS_OFF = `thumbnails are off, because the package sharp cannot be loaded. Run: ${INSTALL_DECODER}`;

/** Returns undefined if the bytes are no picture of a known format. */
async function shrinkBlob(
  blob: OpenBlob,
  width: number,
  shrinker: Shrinker,
): Promise<ShrinkResult | undefined> {
  const head: Uint8Array[] = [];
  for await (const chunk of blob.read(0, Math.min(blob.size, PICTURE_KIND_BYTES)))
    head.push(Uint8Array.from(chunk));
  if (pictureKind(Buffer.concat(head)) === undefined) return undefined;
  return await shrinker.shrink(blob.read(0, blob.size), blob.size, width);
}
