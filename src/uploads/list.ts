import { ownerNamesFor } from '../base/owners.ts';
import type { Removal, Upload } from '../base/upload-records.ts';
import type { LedgerStats, OwnerUsage, RemovalQuery, UploadQuery, Usage } from '../ledger/contract/ledger.ts';
import type { UploadServices } from './services.ts';

export type { OwnerUsage };

const PAGE = 500;

/** Everything together, and the room that is left; `space` is undefined where the store has no such notion. */
export interface ServiceTotals extends LedgerStats {
  readonly space: { readonly free: number; readonly total: number } | undefined;
}

export async function readTotals({
  ledger,
  blobs,
}: Pick<UploadServices, 'ledger' | 'blobs'>): Promise<ServiceTotals> {
  const [stats, space] = await Promise.all([ledger.stats(), blobs.space()]);
  return { ...stats, space };
}

/** All uploads that fit, page by page, so that memory and single queries stay small; an owner's under its hash too. */
export async function* iterateUploads(
  deps: Pick<UploadServices, 'ledger'>,
  { owner, ...query }: Omit<UploadQuery, 'after' | 'limit'>,
): AsyncGenerator<Upload> {
  if (owner === undefined) yield* uploadPages(deps, query);
  else for (const name of ownerNamesFor(owner)) yield* uploadPages(deps, { ...query, owner: name });
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

/** What was removed, newest first; of an owner what it had under its name, then what it had under its hash. */
export async function* iterateRemovals(
  deps: Pick<UploadServices, 'ledger'>,
  { owner, ...query }: Omit<RemovalQuery, 'before' | 'limit'>,
): AsyncGenerator<Removal> {
  if (owner === undefined) yield* removalPages(deps, query);
  else for (const name of ownerNamesFor(owner)) yield* removalPages(deps, { ...query, owner: name });
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

/** What an owner has, under its name and its hash. */
export async function readUsage({ ledger }: Pick<UploadServices, 'ledger'>, owner: string): Promise<Usage> {
  const usages = await Promise.all(ownerNamesFor(owner).map((name) => ledger.usage(name)));
  return usages.reduce((sum, usage) => ({
    uploads: sum.uploads + usage.uploads,
    bytes: sum.bytes + usage.bytes,
    pendingUploads: sum.pendingUploads + usage.pendingUploads,
    pendingBytes: sum.pendingBytes + usage.pendingBytes,
  }));
}

/** Everybody who has slots or files, by name. */
export async function* iterateOwners({ ledger }: Pick<UploadServices, 'ledger'>): AsyncGenerator<OwnerUsage> {
  for (let after: string | undefined; ; ) {
    const page = await ledger.listOwners({ limit: PAGE, ...(after !== undefined && { after }) });
    yield* page;
    after = page.at(-1)?.owner;
    if (page.length < PAGE) return;
  }
}
