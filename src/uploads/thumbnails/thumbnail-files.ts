import { attemptBlobKey, directToken } from '../../base/blob-keys.ts';
import type { BlobStore } from '../../blobs/contract.ts';
import { MAX_THUMBNAIL_BYTES, RETRY_AFTER_MS } from './limits.ts';

/** The bytes of a thumbnail, or the reason why there is none. */
export type KnownThumbnail =
  | { readonly kind: 'picture'; readonly bytes: Buffer }
  /** `at`: ms since 1970. `isFinal`: the picture will never be decoded. */
  | { readonly kind: 'none'; readonly reason: string; readonly isFinal: boolean; readonly at: number };

/** Bytes of a record of a failure. */
const MAX_RECORD_BYTES = 1000;

/** Returns true for a thumbnail, and for a failure that is final or not due for another attempt yet. */
export function isValid(known: KnownThumbnail, now: number): boolean {
  return known.kind === 'picture' || known.isFinal || now < known.at + RETRY_AFTER_MS;
}

/**
 * Reads a thumbnail, or the record of its failure: a JSON text under the key of the thumbnail. Undefined if there is neither. A damaged
 * file is neither; it will be replaced.
 */
export async function readThumbnail(
  blobs: Pick<BlobStore, 'open'>,
  key: string,
): Promise<KnownThumbnail | undefined> {
  const blob = await blobs.open(key);
  if (blob === undefined) return undefined;
  try {
    if (blob.size > MAX_THUMBNAIL_BYTES) return undefined;
    const chunks: Uint8Array[] = [];
    // A chunk belongs to the store again after the next one is requested.
    for await (const chunk of blob.read(0, blob.size)) chunks.push(Uint8Array.from(chunk));
    const bytes = Buffer.concat(chunks);
    return isWholeWebp(bytes) ? { kind: 'picture', bytes } : parseRecord(bytes);
  } finally {
    await blob.close();
  }
}

/**
 * Writes a thumbnail or the record of a failure. Several processes may write the same one at a time: a reader always sees a complete
 * one. If this process is killed meanwhile, the next start on this host removes its file, because the key has the tag of the process.
 */
export async function writeThumbnail(
  blobs: Pick<BlobStore, 'put' | 'publish'>,
  key: string,
  known: KnownThumbnail,
  instance: string,
): Promise<void> {
  const bytes = known.kind === 'picture' ? known.bytes : formatRecord(known);
  const batches = async function* () {
    yield [bytes];
  };
  if (blobs.publish === undefined) {
    await blobs.put(key, batches(), bytes.length);
    return;
  }
  const attempt = attemptBlobKey(key, directToken(instance));
  await blobs.put(attempt, batches(), bytes.length);
  await blobs.publish(attempt, key);
}

/** RIFF: the size follows the first four bytes, and counts what comes after it. */
function isWholeWebp(bytes: Buffer): boolean {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'RIFF') return false;
  return bytes.toString('latin1', 8, 12) === 'WEBP' && bytes.readUInt32LE(4) + 8 === bytes.length;
}

function formatRecord({ reason, isFinal, at }: KnownThumbnail & { kind: 'none' }): Buffer {
  return Buffer.from(JSON.stringify({ noThumbnail: reason.slice(0, MAX_RECORD_BYTES / 4), isFinal, at }));
}

function parseRecord(bytes: Buffer): KnownThumbnail | undefined {
  if (bytes.length > MAX_RECORD_BYTES || bytes[0] !== 0x7b) return undefined;
  try {
    const { noThumbnail, isFinal, at } = JSON.parse(bytes.toString()) as Record<string, unknown>;
    if (typeof noThumbnail !== 'string' || typeof at !== 'number') return undefined;
    return { kind: 'none', reason: noThumbnail, isFinal: isFinal === true, at };
  } catch {
    return undefined;
  }
}
