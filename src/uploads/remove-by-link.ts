import { formatMoment } from '../base/clock.ts';
import { ownerNamesFor } from '../base/owners.ts';
import type { Removal, Upload } from '../base/upload-records.ts';
import { findByLinkOrId, findRemovalByLinkOrId } from './explain/explain.ts';
import { removeUploads } from './remove.ts';
import type { UploadServices } from './services.ts';

/** Pasted ids or links, grouped by the result of their look-up. */
export interface FoundTargets {
  readonly uploads: readonly Upload[];
  /** Records of uploads that were removed before. */
  readonly removedBefore: readonly Removal[];
  /** Targets without an upload and without a record. */
  readonly unknown: readonly string[];
}

/** Finds the uploads with these ids or links, whatever their state. */
export async function findTargets(
  services: Pick<UploadServices, 'ledger' | 'rules'>,
  targets: readonly string[],
): Promise<FoundTargets> {
  const found = await Promise.all(
    targets.map(async (target) => ({
      target,
      upload: await findByLinkOrId(services, target),
    })),
  );
  const uploads = found.flatMap(({ upload }) => upload ?? []);
  const left = found.filter(({ upload }) => upload === undefined).map(({ target }) => target);
  return { uploads, ...(await findRecords(services, left)) };
}

async function findRecords(
  services: Pick<UploadServices, 'ledger' | 'rules'>,
  targets: readonly string[],
): Promise<Omit<FoundTargets, 'uploads'>> {
  const records = await Promise.all(targets.map((target) => findRemovalByLinkOrId(services, target)));
  return {
    removedBefore: records.filter((record) => record !== undefined),
    unknown: targets.filter((_, index) => records[index] === undefined),
  };
}

/** Says when and why an upload was removed, as a sentence. */
export function describeEarlierRemoval(
  { id, name, reason, detail, removedAt }: Removal,
  now: number,
): string {
  const cause = detail === '' ? reason : detail;
  const file = name === '' ? id : `${id} ("${name}")`;
  return `${file} was removed before, ${formatMoment(removedAt, now)}: ${cause}.`;
}

type RemoveTargetServices = Parameters<typeof removeUploads>[0] & Pick<UploadServices, 'rules'>;

/** Removes the uploads with these ids or links. Returns the removed ones as `uploads`. */
export async function removeTargets(
  services: RemoveTargetServices,
  targets: readonly string[],
  detail: string,
): Promise<FoundTargets> {
  return removeFound(services, await findTargets(services, targets), detail);
}

/**
 * Removes those of the uploads with these ids or links that belong to `owner`. All others count as unknown, whether or not they
 * exist.
 */
export async function removeOwnTargets(
  services: RemoveTargetServices,
  owner: string,
  targets: readonly string[],
): Promise<FoundTargets> {
  const names = ownerNamesFor(owner);
  const own = { uploads: [] as Upload[], removedBefore: [] as Removal[], unknown: [] as string[] };
  for (const target of targets) {
    const { uploads, removedBefore } = await findTargets(services, [target]);
    const found = [...uploads, ...removedBefore].every((record) => names.includes(record.owner));
    if (!found || uploads.length + removedBefore.length === 0) own.unknown.push(target);
    else {
      own.uploads.push(...uploads);
      own.removedBefore.push(...removedBefore);
    }
  }
  return removeFound(services, own, `deleted by ${owner}`);
}

async function removeFound(
  services: RemoveTargetServices,
  { uploads, removedBefore, unknown }: FoundTargets,
  detail: string,
): Promise<FoundTargets> {
  const ids = [...new Set(uploads.map(({ id }) => id))];
  const removed = await removeUploads(services, { ids, reason: 'deleted', detail });
  const missed = ids.filter((id) => !removed.some((upload) => upload.id === id));
  const late = await findRecords(services, missed);
  return {
    uploads: removed,
    removedBefore: [...removedBefore, ...late.removedBefore],
    unknown: [...unknown, ...late.unknown],
  };
}
