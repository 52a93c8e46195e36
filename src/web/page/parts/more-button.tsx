import { errorText, useLocale } from '../lib/language.ts';
import { useNotices } from '../lib/notices.ts';
import type { PagedList } from '../lib/pages.ts';

/** Loads the next page of a list. */
export function MoreButton<T>({ list }: { list: PagedList<T> }) {
  const locale = useLocale();
  const notify = useNotices();
  if (list.isComplete || list.value === undefined) return null;
  async function loadMore(): Promise<void> {
    try {
      await list.loadMore();
    } catch (error) {
      notify({ text: errorText(locale, error), isError: true });
    }
  }
  return (
    <button type="button" class="more-button" disabled={list.isLoadingMore} onClick={loadMore}>
      {list.isLoadingMore ? locale.words.loading : locale.words.more}
    </button>
  );
}
