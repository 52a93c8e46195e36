import type { Removal, Upload } from '../base/records.ts';
import type { LedgerStats, OwnerUsage, RemovalQuery, UploadQuery } from '../ledger/contract.ts';
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

/** All uploads that fit, page by page, so that memory and single queries stay small. */
export async function* listUploads(
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

/** What was removed, newest first. */
export async function* listRemovals(
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

/** Everybody who has slots or files, by name. */
export async function* listOwners({ ledger }: Pick<UploadDeps, 'ledger'>): AsyncGenerator<OwnerUsage> {
  for (let after: string | undefined; ; ) {
    const page = await ledger.listOwners({ limit: PAGE, ...(after !== undefined && { after }) });
    yield* page;
    after = page.at(-1)?.owner;
    if (page.length < PAGE) return;
  }
}
