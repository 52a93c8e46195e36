import { useEffect, useRef, useState } from 'preact/hooks';
import { apiUrl, call } from '../lib/api.ts';
import type { ShownFile } from '../lib/files.ts';
import { useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { ownUploads } from '../lib/own-uploads.ts';
import { usePages } from '../lib/pages.ts';
import { linkTo, type PageRoute, replaceRoute } from '../lib/route.ts';
import { useShared } from '../lib/shared-files.ts';
import { useUploads } from '../lib/upload-queue.ts';
import { FileList } from '../parts/file-list.tsx';
import { ListTools } from '../parts/list-tools.tsx';
import { LoadState } from '../parts/load-state.tsx';
import { QuotaBar } from '../parts/quota-bar.tsx';
import { UploadPanel } from '../parts/upload-panel.tsx';

type Sort = 'newest' | 'oldest' | 'largest' | 'smallest' | 'name';

/** The files of the user: upload, list, delete. */
export function FilesView({ route }: { route: PageRoute }) {
  const { words } = useLocale();
  const sort = (route.query.get('sort') ?? 'newest') as Sort;
  const search = route.query.get('search') ?? '';
  const type = route.query.get('type') ?? '';
  const [version, setVersion] = useState(0);
  const quota = useLoaded(`quota ${version}`, (signal) => call('GET /quota', { signal }));
  const list = usePages<ShownFile>(`${sort} ${search} ${type}`, async (cursor, signal) => {
    const query = { sort, ...(search && { search }), ...(type && { type }), ...(cursor && { cursor }) };
    const { files, next } = await call('GET /files', { query, ...(signal && { signal }) });
    return { items: files, next };
  });
  const refresh = () => {
    list.reload();
    setVersion((old) => old + 1);
  };
  const doneCount = useUploads(ownUploads).filter(({ state }) => state === 'done').length;
  const shownCount = useRef(doneCount);
  useEffect(() => {
    if (doneCount > shownCount.current) refresh();
    shownCount.current = doneCount;
  });
  useShared(ownUploads);
  const show = (change: Record<string, string>) =>
    replaceRoute(linkTo('files', '', { sort: sort === 'newest' ? '' : sort, search, type, ...change }));
  return (
    <div class="stack">
      {quota.value ? <QuotaBar quota={quota.value} /> : <LoadState loaded={quota} />}
      <UploadPanel queue={ownUploads} isAllowed={quota.value?.isAllowed ?? false} />
      <ListTools
        search={search}
        onSearch={(text) => show({ search: text })}
        sort={sort}
        sorts={words.sorts}
        onSort={(next) => show({ sort: next })}
        type={type}
        onType={(next) => show({ type: next })}
      />
      <FileList
        list={list}
        sort={sort}
        onSort={(next) => show({ sort: next })}
        isFiltered={search !== '' || type !== ''}
        remove={(ids) => call('POST /files/delete', { body: { ids } })}
        restore={(ids) => call('POST /trash/restore', { body: { ids } })}
        onChanged={refresh}
        canSortByName
        canChangeExpiry
      />
      {list.items.length > 0 && (
        <p>
          <a class="button" href={apiUrl('/archive')} download>
            {words.downloadAll}
          </a>
        </p>
      )}
    </div>
  );
}
