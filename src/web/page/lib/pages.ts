import { useState } from 'preact/hooks';
import { type Loaded, useLoaded } from './load.ts';

/** One page of a list. */
export interface ListPage<T> {
  readonly items: readonly T[];
  /** The cursor of the next page; null at the end. */
  readonly next: string | null;
}

export interface PagedList<T> extends Loaded<ListPage<T>> {
  readonly items: readonly T[];
  readonly isComplete: boolean;
  readonly isLoadingMore: boolean;
  readonly loadMore: () => Promise<void>;
}

/** A page with a filter may be empty although more pages follow. So many pages are loaded before the user must request more. */
const MAX_EMPTY_PAGES = 10;

/** Loads the pages of a list one after the other and shows them as one list. */
export function usePages<T>(
  key: string,
  loadPage: (cursor: string | undefined, signal?: AbortSignal) => Promise<ListPage<T>>,
): PagedList<T> {
  const [isLoadingMore, setLoadingMore] = useState(false);
  const loaded = useLoaded(key, (signal) => loadNonEmpty(loadPage, undefined, signal));
  const { value, setValue } = loaded;
  async function loadMore(): Promise<void> {
    if (value === undefined || value.next === null || isLoadingMore) return;
    setLoadingMore(true);
    try {
      const more = await loadNonEmpty(loadPage, value.next);
      setValue((old) => (old === value ? { items: [...old.items, ...more.items], next: more.next } : old));
    } finally {
      setLoadingMore(false);
    }
  }
  return {
    ...loaded,
    items: value?.items ?? [],
    isComplete: value?.next === null,
    isLoadingMore,
    loadMore,
  };
}

async function loadNonEmpty<T>(
  loadPage: (cursor: string | undefined, signal?: AbortSignal) => Promise<ListPage<T>>,
  first: string | undefined,
  signal?: AbortSignal,
): Promise<ListPage<T>> {
  let page = await loadPage(first, signal);
  for (let n = 1; n < MAX_EMPTY_PAGES && page.items.length === 0 && page.next !== null; n += 1) {
    page = await loadPage(page.next, signal);
  }
  return page;
}
