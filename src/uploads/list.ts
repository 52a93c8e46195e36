import { looseJidKey, parseBareJid } from '../base/jid.ts';
import { ownerNamesFor } from '../base/owners.ts';
import type { DiskSpace } from '../base/system-resources.ts';
import type { Removal, Upload } from '../base/upload-records.ts';
import type { LedgerStats, OwnerUsage, RemovalQuery, UploadQuery, Usage } from '../ledger/contract/ledger.ts';
import { isDownloadable } from '../policy/retention.ts';
import type { UploadServices } from './services.ts';

export type { OwnerUsage, Usage };

const PAGE = 500;

/** Sums over all owners. `space` is undefined if the blob store does not report free space. */
export interface ServiceTotals extends LedgerStats {
  readonly space: Pick<DiskSpace, 'free' | 'total'> | undefined;
}

/** Reads the totals of the service. */
export async function readTotals({
  ledger,
  blobs,
}: Pick<UploadServices, 'ledger' | 'blobs'>): Promise<ServiceTotals> {
  const [stats, space] = await Promise.all([ledger.stats(), blobs.space()]);
  return { ...stats, space };
}

/** Yields all matching uploads, read page by page. Includes those stored under the hash of the owner's JID. */
export async function* iterateUploads(
  services: Pick<UploadServices, 'ledger'>,
  { owner, ...query }: Omit<UploadQuery, 'after' | 'limit'>,
): AsyncGenerator<Upload> {
  if (owner === undefined) yield* uploadPages(services, query);
  else for (const name of ownerNamesFor(owner)) yield* uploadPages(services, { ...query, owner: name });
}

async function* uploadPages(
  { ledger }: Pick<UploadServices, 'ledger'>,
  query: Omit<UploadQuery, 'after' | 'limit'>,
): AsyncGenerator<Upload> {
  for (let after: string | undefined; ; ) {
    const page = await ledger.listUploads({ ...query, limit: PAGE, ...(after !== undefined && { after }) });
    yield* page;
    after = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}

/** Minimum number of rows that `readFilePage` reads at a time, because some files may have expired. */
const MIN_FILE_PAGE = 100;

/** Some of an owner's files that can be downloaded, the latest first. */
export interface FilePage {
  readonly files: readonly Upload[];
  /** The id after which the next page begins; undefined if this is the last one. */
  readonly next: string | undefined;
}

/** Reads `limit` files of an owner, after the file with the id `after`. Includes those stored under the hash of its JID. */
export async function readFilePage(
  { ledger, rules, clock }: Pick<UploadServices, 'ledger' | 'rules' | 'clock'>,
  {
    owner,
    after,
    limit,
  }: { readonly owner: string; readonly after?: string | undefined; readonly limit: number },
): Promise<FilePage> {
  const { retention } = rules();
  const size = Math.max(limit + 1, MIN_FILE_PAGE);
  const files: Upload[] = [];
  for (let last = after; ; ) {
    const query = {
      state: 'stored',
      newestFirst: true,
      limit: size,
      ...(last !== undefined && { after: last }),
    } as const;
    const lists = await Promise.all(
      ownerNamesFor(owner).map((name) => ledger.listUploads({ ...query, owner: name })),
    );
    // Each list ends after `size` rows. So of all lists together, only the first `size` rows are complete.
    const rows = lists
      .flat()
      .toSorted((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, size);
    files.push(...rows.filter((upload) => isDownloadable(retention, upload, clock())));
    last = rows.at(-1)?.id;
    if (files.length > limit)
      return { files: latestFirst(files.slice(0, limit)), next: files[limit - 1]?.id };
    if (rows.length < size) return { files: latestFirst(files), next: undefined };
  }
}

/** Sorts by time, because ids of the same second are not ordered. */
function latestFirst(files: readonly Upload[]): Upload[] {
  return files.toSorted((a, b) => (b.storedAt ?? 0) - (a.storedAt ?? 0));
}

/** Yields removals, newest first. For an owner: first those under its JID, then those under the hash of its JID. */
export async function* iterateRemovals(
  services: Pick<UploadServices, 'ledger'>,
  { owner, ...query }: Omit<RemovalQuery, 'before' | 'limit'>,
): AsyncGenerator<Removal> {
  if (owner === undefined) yield* removalPages(services, query);
  else for (const name of ownerNamesFor(owner)) yield* removalPages(services, { ...query, owner: name });
}

async function* removalPages(
  { ledger }: Pick<UploadServices, 'ledger'>,
  query: Omit<RemovalQuery, 'before' | 'limit'>,
): AsyncGenerator<Removal> {
  for (let before: RemovalQuery['before'] | undefined; ; ) {
    const page = await ledger.listRemovals({ ...query, limit: PAGE, ...(before && { before }) });
    yield* page;
    before = page.at(-1);
    if (page.length < PAGE) return;
  }
}

/**
 * Returns the owner that an admin means. A JID without files may be another spelling of one with files: most servers store `straße`
 * as `strasse`.
 */
export async function resolveOwner(services: Pick<UploadServices, 'ledger'>, jid: string): Promise<string> {
  const other = parseBareJid(looseJidKey(jid)) ?? jid;
  if (other === jid || (await hasData(services, jid))) return jid;
  return (await hasData(services, other)) ? other : jid;
}

/** Returns true if an owner has slots, files or records of removed files. */
export async function hasData(services: Pick<UploadServices, 'ledger'>, owner: string): Promise<boolean> {
  const { uploads, pendingUploads } = await readUsage(services, owner);
  if (uploads + pendingUploads > 0) return true;
  for await (const _ of iterateRemovals(services, { owner })) return true;
  return false;
}

/** Returns the usage of an owner, including uploads under the hash of its JID. */
export async function readUsage({ ledger }: Pick<UploadServices, 'ledger'>, owner: string): Promise<Usage> {
  const usages = await Promise.all(ownerNamesFor(owner).map((name) => ledger.usage(name)));
  return usages.reduce((sum, usage) => ({
    uploads: sum.uploads + usage.uploads,
    bytes: sum.bytes + usage.bytes,
    pendingUploads: sum.pendingUploads + usage.pendingUploads,
    pendingBytes: sum.pendingBytes + usage.pendingBytes,
  }));
}

/** Yields all owners that have slots or files, sorted by name. */
export async function* iterateOwners({ ledger }: Pick<UploadServices, 'ledger'>): AsyncGenerator<OwnerUsage> {
  for (let after: string | undefined; ; ) {
    const page = await ledger.listOwners({ limit: PAGE, ...(after !== undefined && { after }) });
    yield* page;
    after = page.at(-1)?.owner;
    if (page.length < PAGE) return;
  }
}
