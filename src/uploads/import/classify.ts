import { createHash } from 'node:crypto';
import { ID_ALPHABET, idTimePrefix, sha256Hex } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import type { ImportedUpload } from '../../ledger/contract/ledger.ts';
import { MAX_NAME_BYTES } from '../../policy/file-names.ts';
import { mediaTypesForName } from '../../policy/guess-media-type.ts';
import { parseMediaType, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import { choosePurpose, expiryTime } from '../../policy/retention.ts';
import { blobKey } from '../links.ts';
import type { UploadServices } from '../services.ts';
import type { ImportOptions } from './import-uploads.ts';
import type { FoundFile } from './source.ts';

/** What is to be done with a file. */
export type ImportStatus = 'new' | 'already' | 'removed' | 'expired' | 'bytes_missing';

/** The upload that a found file becomes: always the same for the same link. */
export function toImportedUpload(
  deps: UploadServices,
  options: Pick<ImportOptions, 'namespace' | 'fallbackOwner' | 'expireAfterMs'>,
  found: FoundFile,
): ImportedUpload {
  const hash = typeof found.linkPath === 'string' ? sha256Hex(found.linkPath) : found.linkPath.sha256;
  const locator = `${options.namespace}:${hash}`;
  const name = tidyName(found.name);
  const storedAt = Math.max(0, Math.min(found.storedAt, deps.clock()));
  const id = idOf(locator, storedAt);
  return {
    id,
    locator,
    owner: ownerOf(found.owner) ?? options.fallbackOwner,
    purpose: choosePurpose(deps.rules().retention, name, undefined),
    name,
    type: parseMediaType(found.type ?? '') ?? mediaTypesForName(name)[0] ?? UNKNOWN_TYPE,
    size: found.size,
    blob: blobKey(id, name),
    storedAt,
    expiresAt: options.expireAfterMs === null ? null : storedAt + options.expireAfterMs,
  };
}

/**
 * 26 characters that follow from the locator and the second of the upload, which is in front as in all ids: an import that
 * is run again finds what it has brought.
 */
function idOf(locator: string, storedAt: number): string {
  const digest = createHash('sha256').update(`import of ${locator}`).digest();
  const text = [...digest.subarray(0, 26)].map((byte) => ID_ALPHABET[byte & 31]).join('');
  return idTimePrefix(storedAt) + text.slice(idTimePrefix(0).length);
}

/** A JID in the form in which all doors know it; other keys (`sha1:…`) as they are. */
function ownerOf(owner: string | null): string | null {
  if (owner === null || owner === '') return null;
  return /^(?:sha1|node):/.test(owner) ? owner : (parseBareJid(owner) ?? null);
}

/** Old services let anything be a name. */
function tidyName(name: string): string {
  let tidy = name.toWellFormed().replace(/[/\p{Cc}]/gu, '_');
  while (Buffer.byteLength(tidy) > MAX_NAME_BYTES) tidy = tidy.slice(1);
  return /^\.{0,2}$/.test(tidy.trim()) ? 'file' : tidy.toWellFormed();
}

/** Asks the ledger, and the blobs where it says that the file is here: a run that was cut off is mended. */
export async function classify(deps: UploadServices, adoption: ImportedUpload): Promise<ImportStatus> {
  const { ledger, blobs, rules, clock } = deps;
  const there = await ledger.find(adoption.locator);
  if (there && there.id !== adoption.id) return 'already';
  if (there) return (await sizeOf(blobs, there.blob)) === there.size ? 'already' : 'bytes_missing';
  const removal = await ledger.findRemoval(adoption.locator);
  if (removal && removal.reason !== 'unused') return 'removed';
  const end = expiryTime(rules().retention, {
    ...adoption,
    endpoint: 'import',
    state: 'stored',
    createdAt: adoption.storedAt,
    deadline: adoption.storedAt,
  });
  return end !== null && end <= clock() ? 'expired' : 'new';
}

async function sizeOf(blobs: UploadServices['blobs'], key: string): Promise<number | undefined> {
  const blob = await blobs.open(key);
  await blob?.close();
  return blob?.size;
}
