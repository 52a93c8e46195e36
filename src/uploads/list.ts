import { namesOf } from '../base/owners.ts';
import type { Removal, Upload } from '../base/records.ts';
import type { LedgerStats, OwnerUsage, RemovalQuery, UploadQuery, Usage } from '../ledger/contract.ts';
import type { UploadDeps } from './deps.ts';

export type { OwnerUsage };

const PAGE = 500;

/** Everything together, and the room that is left; `space` is undefined where the store has no such notion. */
export interface Totals extends LedgerStats {
  readonly space: { readonly free: number; readonly total: number } | undefined;
}

export async function totals({ ledger, blobs }: Pick<UploadDeps, 'ledger' | 'blobs'>): Promise<Totals> {
  const [stats, space] = await Promise.all([ledger.stats(), blobs.space()]);
  return { ...stats, space };
}

/** All uploads that fit, page by page, so that memory and single queries stay small; an owner's under its hash too. */
export async function* listUploads(
  deps: Pick<UploadDeps, 'ledger'>,
  { owner, ...query }: Omit<UploadQuery, 'after' | 'limit'>,
): AsyncGenerator<Upload> {
  if (owner === undefined) yield* uploadPages(deps, query);
  else for (const name of namesOf(owner)) yield* uploadPages(deps, { ...query, owner: name });
}

async function* uploadPages(
  { ledger }: Pick<UploadDeps, 'ledger'>,
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
export async function* listRemovals(
  deps: Pick<UploadDeps, 'ledger'>,
  { owner, ...query }: Omit<RemovalQuery, 'before' | 'limit'>,
): AsyncGenerator<Removal> {
  if (owner === undefined) yield* removalPages(deps, query);
  else for (const name of namesOf(owner)) yield* removalPages(deps, { ...query, owner: name });
}

async function* removalPages(
  { ledger }: Pick<UploadDeps, 'ledger'>,
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
export async function usageOf({ ledger }: Pick<UploadDeps, 'ledger'>, owner: string): Promise<Usage> {
  const usages = await Promise.all(namesOf(owner).map((name) => ledger.usage(name)));
  return usages.reduce((sum, usage) => ({
    uploads: sum.uploads + usage.uploads,
    bytes: sum.bytes + usage.bytes,
    pendingUploads: sum.pendingUploads + usage.pendingUploads,
    pendingBytes: sum.pendingBytes + usage.pendingBytes,
  }));
}

/** Everybody who has slots or files, by name. */
export async function* listOwners({ ledger }: Pick<UploadDeps, 'ledger'>): AsyncGenerator<OwnerUsage> {
  for (let after: string | undefined; ; ) {
    const page = await ledger.listOwners({ limit: PAGE, ...(after !== undefined && { after }) });
    yield* page;
    after = page.at(-1)?.owner;
    if (page.length < PAGE) return;
  }
}
