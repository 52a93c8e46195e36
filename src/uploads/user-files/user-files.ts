import { Refusal } from '../../base/errors.ts';
import { ownerNamesFor } from '../../base/owners.ts';
import type { Upload } from '../../base/upload-records.ts';
import {
  type FileListPage,
  type FileQuery,
  type Ledger,
  type RestoreLimits,
  type RestoreResult,
  SORTED_FILES,
  type TrashedUpload,
  unlimitedRestore,
} from '../../ledger/contract/ledger.ts';
import { uploadLimitsFor } from '../../policy/access.ts';
import { latestExpiry } from '../../policy/retention.ts';
import { authorizeUploader } from '../grant-slot.ts';
import { removeFilesOf, removeUploads, trashMsFor } from '../remove.ts';
import { checkFile } from '../reserve.ts';
import type { UploadServices } from '../services.ts';

/** The use cases of the stored files of one user. Each names the owner, so that no user can reach the files of another. */

type RemoveServices = Parameters<typeof removeUploads>[0];

/**
 * Lists stored files of a user, including those under the hash of the JID. Throws `Refusal` (`bad_request`) if the user has too many
 * files for this order.
 */
export async function listUserFiles(
  { ledger }: Pick<UploadServices, 'ledger'>,
  owner: string,
  query: Omit<FileQuery, 'owners' | 'state'>,
): Promise<FileListPage> {
  const owners = ownerNamesFor(owner);
  if (query.sort === 'name' || query.sort === 'smallest') await refuseLongSort(ledger, owners);
  return await ledger.listFiles({ ...query, state: 'stored', owners });
}

/** Throws if a user has too many files for an order that has no index, or that would leave out small files. */
async function refuseLongSort(ledger: Ledger, owners: readonly string[]): Promise<void> {
  const usages = await Promise.all(owners.map((owner) => ledger.usage(owner)));
  const files = usages.reduce((sum, { uploads }) => sum + uploads, 0);
  if (files <= SORTED_FILES) return;
  throw new Refusal('bad_request', {
    text: `You have ${files} files. More than ${SORTED_FILES} can only be sorted by time, or with the largest first.`,
  });
}

/** Returns a stored file of a user. Throws `Refusal` (`not_found`), also if the file belongs to another user. */
export async function findUserFile(
  services: Pick<UploadServices, 'ledger'>,
  owner: string,
  id: string,
): Promise<Upload> {
  const { files } = await listUserFiles(services, owner, { ids: [id], sort: 'newest', limit: 1 });
  const [file] = files;
  if (file === undefined) throw new Refusal('not_found', { text: 'You have no such file.' });
  return file;
}

/**
 * Sets how long a file is kept, within the rule: `retention` limits it. null = as long as the rule allows. Throws `Refusal`
 * (`not_found`, `bad_request`).
 */
export async function changeUserFileExpiry(
  services: Pick<UploadServices, 'ledger' | 'rules' | 'clock' | 'fileCache'>,
  owner: string,
  { id, expiresAt }: { readonly id: string; readonly expiresAt: number | null },
): Promise<Upload> {
  if (expiresAt !== null && expiresAt <= services.clock()) {
    throw new Refusal('bad_request', { text: 'The time lies in the past. Delete the file instead.' });
  }
  const file = await findUserFile(services, owner, id);
  const latest = latestExpiry(services.rules().retention, file);
  const isWithinRule = expiresAt !== null && (latest === null || expiresAt < latest);
  const changed = await services.ledger.setExpiry({
    id,
    owners: ownerNamesFor(owner),
    expiresAt: isWithinRule ? expiresAt : null,
  });
  if (changed === undefined) throw new Refusal('not_found', { text: 'You have no such file.' });
  services.fileCache.invalidate(changed.locator);
  return changed;
}

/** The files of a deletion by a person. */
export interface DeletedFiles {
  readonly removed: number;
  /** Bytes. */
  readonly bytes: number;
  /** The time until which they can be restored, ms since 1970; null = they cannot be restored. */
  readonly restorableUntil: number | null;
}

/** Deletes stored files. `by`: the person, for the removal record. `owner`: deletes only files of this user. Ignores unknown ids. */
export async function deleteFiles(
  services: RemoveServices & Pick<UploadServices, 'rules' | 'clock'>,
  { ids, owner, by }: { readonly ids: readonly string[]; readonly owner?: string; readonly by: string },
): Promise<DeletedFiles> {
  const restorableUntil = restorableUntilOf(services);
  const owners = owner === undefined ? undefined : ownerNamesFor(owner);
  const removed = await removeUploads(services, {
    ids,
    ...(owners && { owners }),
    reason: 'deleted',
    detail: `deleted by ${by}`,
  });
  return { removed: removed.length, bytes: sumOfSizes(removed), restorableUntil };
}

/** Deletes all stored files of a user. */
export async function deleteAllFilesOf(
  services: RemoveServices & Pick<UploadServices, 'rules' | 'clock'>,
  owner: string,
  by: string,
): Promise<DeletedFiles> {
  const restorableUntil = restorableUntilOf(services);
  const { removed, bytes } = await removeFilesOf(services, owner, {
    reason: 'deleted',
    detail: `deleted by ${by}`,
  });
  return { removed, bytes, restorableUntil };
}

function restorableUntilOf(services: Pick<UploadServices, 'rules' | 'clock'>): number | null {
  const trashMs = trashMsFor(services, { reason: 'deleted' });
  return trashMs > 0 ? services.clock() + trashMs : null;
}

/**
 * Restores files of a user from the trash, if the user may upload them now: the same access rules and quotas apply. Without an owner,
 * restores files of all users without a limit. Blocked files stay in the trash. Throws `Refusal` if no file was restored: `not_found` if
 * none is there, else the reason.
 */
export async function restoreFiles(
  services: Pick<UploadServices, 'ledger' | 'rules' | 'clock' | 'fileCache' | 'log'>,
  { ids, owner }: { readonly ids: readonly string[]; readonly owner?: string },
): Promise<{ readonly restored: number; readonly bytes: number }> {
  const { ledger, clock, fileCache, log } = services;
  const owners = owner === undefined ? {} : { owners: ownerNamesFor(owner) };
  const trashed = await ledger.listTrash({ ids, ...owners, limit: ids.length });
  if (trashed.length === 0) throw new Refusal('not_found', { text: 'No such file is in the trash.' });
  const { allowed, refusal, limits } =
    owner === undefined
      ? { allowed: trashed, refusal: undefined, limits: unlimitedRestore }
      : applyRules(services, owner, trashed);
  const { restored, kept } = await ledger.restoreFromTrash({
    ids: allowed.map(({ id }) => id),
    ...owners,
    limits,
    now: clock(),
  });
  for (const { id, owner: of, locator } of restored) {
    fileCache.invalidate(locator);
    log.info({ id, owner: of }, 'upload restored from the trash');
  }
  if (restored.length === 0) throw refusal ?? toRefusal(kept);
  return { restored: restored.length, bytes: sumOfSizes(restored) };
}

/** The files that the rules allow, the refusal of the first other file, and the quotas. */
interface RestorableFiles {
  readonly allowed: readonly TrashedUpload[];
  readonly refusal: unknown;
  readonly limits: RestoreLimits;
}

/** Applies the access rule of a user. Throws `denied` if the user may not upload. */
function applyRules(
  services: Pick<UploadServices, 'rules'>,
  owner: string,
  trashed: readonly TrashedUpload[],
): RestorableFiles {
  const { rule } = authorizeUploader(services, owner);
  const { retention, globalQuota } = services.rules();
  const limitsOf = (purpose: string) => uploadLimitsFor(rule, retention, purpose, globalQuota);
  const allowed: TrashedUpload[] = [];
  const refusals: unknown[] = [];
  for (const file of trashed) {
    try {
      checkFile(services, { upload: file, rule, limits: limitsOf(file.purpose) });
      allowed.push(file);
    } catch (error) {
      refusals.push(error);
    }
  }
  const purposes = new Set(trashed.map(({ purpose }) => purpose));
  const purposeBytes = [...purposes].map((one) => [one, limitsOf(one).quotas.purposeBytes] as const);
  return {
    allowed,
    refusal: refusals[0],
    limits: { ...limitsOf('').quotas, purposeBytes: Object.fromEntries(purposeBytes) },
  };
}

/** `kept` is empty if the files have left the trash meanwhile. */
function toRefusal([first]: RestoreResult['kept']): Refusal {
  switch (first?.reason) {
    case undefined:
      return new Refusal('not_found', { text: 'No such file is in the trash.' });
    case 'blocked':
      return new Refusal('file_blocked');
    case 'globalBytes':
      return new Refusal('service_full');
    default:
      return new Refusal('quota_exceeded', {
        text: 'There is no room for these files. Delete others first.',
      });
  }
}

function sumOfSizes(uploads: readonly Upload[]): number {
  return uploads.reduce((sum, { size }) => sum + size, 0);
}
