import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../../base/errors.ts';
import type { Upload } from '../../base/upload-records.ts';
import type { BlockedHash, PageKey } from '../../ledger/contract/ledger.ts';
import { findByLinkOrId } from '../explain/explain.ts';
import { removeUploads } from '../remove.ts';
import type { UploadServices } from '../services.ts';
import { hashBytes, readBlob } from './check-content.ts';

/** The use cases of blocked files. A file is blocked by the SHA-256 of its bytes, whatever its name and its sender. */

const PAGE = 500;
/** Longer than other processes trust that no hash is blocked (`content-checks.ts`). */
const SETTLE_MS = 1500;

type BlockServices = Parameters<typeof removeUploads>[0];

export interface BlockRequest {
  /** A hex SHA-256, an id, a link, or the id of an infected file. */
  readonly target: string;
  readonly reason: string;
  /** The person who blocks it. */
  readonly by: string;
  /** Also removes all stored copies. */
  readonly removeCopies: boolean;
}

export interface BlockResult {
  readonly hash: BlockedHash;
  /** False if it was blocked before. */
  readonly isNew: boolean;
  /** Stored copies that were removed. */
  readonly removed: number;
  /** Their bytes. */
  readonly bytes: number;
}

/** Blocks a file. Throws `Refusal` (`not_found`) if the target has no file. */
export async function blockFile(
  services: BlockServices,
  { target, reason, by, removeCopies }: BlockRequest,
): Promise<BlockResult> {
  const { ledger, clock, log } = services;
  const found = await findContent(services, target.trim());
  const wanted = { ...found, reason, blockedBy: by, blockedAt: clock() };
  const isNew = await ledger.blockHash(wanted);
  const hash = (await ledger.findBlockedHash(found.sha256)) ?? wanted;
  log.info({ sha256: hash.sha256, by, reason }, 'file blocked');
  if (!removeCopies) return { hash, isNew, removed: 0, bytes: 0 };
  // Uploads that other processes have begun to store are copies too.
  await sleep(SETTLE_MS);
  const copies = await removeCopiesOf(services, { ...hash, size: hash.size ?? found.size }, by);
  return { hash, isNew, ...copies };
}

interface FileContent {
  readonly sha256: string;
  /** Bytes; null = unknown. */
  readonly size: number | null;
}

async function findContent(services: BlockServices, target: string): Promise<FileContent> {
  if (/^[0-9a-f]{64}$/i.test(target)) return { sha256: target.toLowerCase(), size: null };
  const [infected] = await services.ledger.listQuarantine({ id: target, limit: 1 });
  if (infected?.sha256) return { sha256: infected.sha256, size: infected.size };
  const upload = await findByLinkOrId(services, target);
  if (upload?.state !== 'stored') {
    throw new Refusal('not_found', {
      text: 'No stored file has this link or id. A removed file can be blocked by its SHA-256.',
    });
  }
  return { sha256: await hashOfStored(services, upload), size: upload.size };
}

/** Returns the recorded hash of a stored file, or computes and records it. */
async function hashOfStored({ ledger, blobs }: BlockServices, upload: Upload): Promise<string> {
  if (upload.sha256 !== undefined) return upload.sha256;
  const sha256 = await hashBytes(readBlob(blobs, upload.blob));
  await ledger.recordHash({ ...upload, sha256 });
  return sha256;
}

/**
 * Removes all stored copies of a file, without the trash. Finds the copies with a recorded hash. If the size is known, also reads
 * all files of this size whose hash is not recorded. Skips files that are removed meanwhile.
 */
async function removeCopiesOf(
  services: BlockServices,
  { sha256, size }: FileContent,
  by: string,
): Promise<{ removed: number; bytes: number }> {
  let removed = 0;
  let bytes = 0;
  const remove = async (uploads: readonly Upload[]) => {
    const ids = uploads.map(({ id }) => id);
    const detail = `blocked by ${by}`;
    const gone = await removeUploads(services, { ids, reason: 'deleted', detail, forGood: true });
    removed += gone.length;
    bytes += gone.reduce((sum, upload) => sum + upload.size, 0);
  };
  for (let page: Upload[] = []; ; ) {
    const after = page.at(-1)?.id;
    page = await services.ledger.listByHash({ sha256, limit: PAGE, ...(after !== undefined && { after }) });
    if (page.length > 0) await remove(page);
    if (page.length < PAGE) break;
  }
  if (size !== null) {
    for await (const upload of filesWithoutHash(services, size)) {
      const hash = await hashOfStored(services, upload).catch(() => undefined);
      if (hash === sha256) await remove([upload]);
    }
  }
  return { removed, bytes };
}

/** Yields the stored files of this size whose hash is not recorded. */
async function* filesWithoutHash(
  { ledger }: Pick<UploadServices, 'ledger'>,
  size: number,
): AsyncGenerator<Upload, void> {
  for (let after: PageKey | null | undefined; after !== null; ) {
    const { files, next } = await ledger.listFiles({
      sort: 'oldest',
      state: 'stored',
      minSize: size,
      maxSize: size,
      limit: PAGE,
      ...(after && { after }),
    });
    yield* files.filter(({ sha256 }) => sha256 === undefined);
    after = next;
  }
}

/** Yields all blocked hashes, those blocked last first. */
export async function* iterateBlocked({
  ledger,
}: Pick<UploadServices, 'ledger'>): AsyncGenerator<BlockedHash, void> {
  for (let last: BlockedHash | undefined; ; ) {
    const page = await ledger.listBlockedHashes({ limit: PAGE, ...(last && { before: last }) });
    yield* page;
    last = page.at(-1);
    if (page.length < PAGE) return;
  }
}

/** Unblocks a file. Returns false if its hash is not blocked. */
export async function unblockFile(
  { ledger, log }: Pick<UploadServices, 'ledger' | 'log'>,
  { sha256, by }: { readonly sha256: string; readonly by: string },
): Promise<boolean> {
  const wasBlocked = await ledger.unblockHash(sha256.trim().toLowerCase());
  if (wasBlocked) log.info({ sha256, by }, 'file unblocked');
  return wasBlocked;
}
