import { createHash } from 'node:crypto';
import { ID_ALPHABET, idTimePrefix, sha256Hex } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import type { ImportedUpload } from '../../ledger/contract/ledger.ts';
import { cleanFileName } from '../../policy/file-names.ts';
import { mediaTypesForName, parseMediaType, UNKNOWN_TYPE, usualExtension } from '../../policy/media-type.ts';
import { choosePurpose, expiryTime } from '../../policy/retention.ts';
import { blobKey } from '../links.ts';
import type { UploadServices } from '../services.ts';
import type { FoundFile } from './source.ts';

/** The result for a file: the import stores `new` and `bytes_missing` files and skips the others. */
export type ImportStatus = 'new' | 'already' | 'removed' | 'expired' | 'bytes_missing';

/** How the files of an import become uploads. */
export interface ImportedUploadOptions {
  /** Prefix of the locators: the endpoint that replaces the service. */
  readonly namespace: string;
  /** Owner of files whose owner is unknown. */
  readonly fallbackOwner: string;
  /** Milliseconds from upload to expiry; null = as `retention` says. */
  readonly expireAfterMs: number | null;
}

/** Converts a found file to an upload. The same link always gives the same id, so that an import can be repeated. */
export function toImportedUpload(
  services: Pick<UploadServices, 'clock' | 'rules'>,
  options: ImportedUploadOptions,
  found: FoundFile,
): ImportedUpload {
  const hash = typeof found.linkPath === 'string' ? sha256Hex(found.linkPath) : found.linkPath.sha256;
  const locator = `${options.namespace}:${hash}`;
  const name = cleanFileName(found.name, found.type === null ? '' : usualExtension(found.type));
  const storedAt = Math.max(0, Math.min(found.storedAt, services.clock()));
  const id = deriveId(locator, storedAt);
  return {
    id,
    locator,
    owner: normalizeOwner(found.owner) ?? options.fallbackOwner,
    purpose: choosePurpose(services.rules().retention, name, undefined),
    name,
    type:
      parseMediaType(found.type ?? '') ?? mediaTypesForName(name, services.rules().types)[0] ?? UNKNOWN_TYPE,
    size: found.size,
    blob: blobKey(id, name),
    storedAt,
    expiresAt: options.expireAfterMs === null ? null : storedAt + options.expireAfterMs,
  };
}

/** Derives an id from the locator. It begins with the upload's time in seconds, like all ids. */
function deriveId(locator: string, storedAt: number): string {
  const digest = createHash('sha256').update(`import of ${locator}`).digest();
  const text = [...digest.subarray(0, 26)].map((byte) => ID_ALPHABET[byte & 31]).join('');
  return idTimePrefix(storedAt) + text.slice(idTimePrefix(0).length);
}

/** Normalizes a JID as all endpoints do. Leaves other owner keys (`sha1:…`) as they are. */
function normalizeOwner(owner: string | null): string | null {
  if (owner === null || owner === '') return null;
  return /^(?:sha1|node):/.test(owner) ? owner : (parseBareJid(owner) ?? null);
}

/** Returns the status of a file. If its upload exists, also checks the blob, so that an interrupted import can be completed. */
export async function classify(
  services: Pick<UploadServices, 'ledger' | 'blobs' | 'rules' | 'clock'>,
  upload: ImportedUpload,
): Promise<ImportStatus> {
  const { ledger, blobs, rules, clock } = services;
  const existing = await ledger.find(upload.locator);
  if (existing && existing.id !== upload.id) return 'already';
  if (existing) return (await blobs.size(existing.blob)) === existing.size ? 'already' : 'bytes_missing';
  const removal = await ledger.findRemoval(upload.locator);
  if (removal && removal.reason !== 'unused') return 'removed';
  const end = expiryTime(rules().retention, {
    ...upload,
    endpoint: 'import',
    state: 'stored',
    createdAt: upload.storedAt,
    deadline: upload.storedAt,
  });
  return end !== null && end <= clock() ? 'expired' : 'new';
}
