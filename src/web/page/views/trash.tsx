import { useState } from 'preact/hooks';
import { type Answer, call } from '../lib/api.ts';
import { fileCountText, inGroups } from '../lib/files.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { useNotices } from '../lib/notices.ts';
import { type ListPage, usePages } from '../lib/pages.ts';
import { useSelection } from '../lib/selection.ts';
import { usePageSession } from '../lib/session.ts';
import { LoadState } from '../parts/load-state.tsx';
import { MoreButton } from '../parts/more-button.tsx';
import { SelectAllHeader } from '../parts/select-all-header.tsx';

type TrashedFile = Answer<'GET /trash'>['files'][number];
type Query = { cursor?: string };

/** Deleted files of the user. */
export function TrashView() {
  return (
    <Trash
      hasOwners={false}
      load={(query, signal) => call('GET /trash', { query, ...(signal && { signal }) })}
      restore={(ids) => call('POST /trash/restore', { body: { ids } })}
    />
  );
}

/** Deleted files of all users. */
export function AllTrashView() {
  return (
    <Trash
      hasOwners
      load={(query, signal) => call('GET /admin/trash', { query, ...(signal && { signal }) })}
      restore={(ids) => call('POST /admin/trash/restore', { body: { ids } })}
    />
  );
}

interface TrashProps {
  readonly hasOwners: boolean;
  readonly load: (query: Query, signal?: AbortSignal) => Promise<Answer<'GET /trash'>>;
  readonly restore: (ids: string[]) => Promise<{ readonly restored: number }>;
}

/** Deleted files that can be restored. */
function Trash({ hasOwners, load, restore }: TrashProps) {
  const locale = useLocale();
  const { words, formats } = locale;
  const { service } = usePageSession();
  const notify = useNotices();
  const selection = useSelection();
  const [isBusy, setBusy] = useState(false);
  const list = usePages<TrashedFile>('trash', async (cursor, signal): Promise<ListPage<TrashedFile>> => {
    const { files, next } = await load(cursor === undefined ? {} : { cursor }, signal);
    return { items: files, next };
  });
  async function restoreSelected(): Promise<void> {
    setBusy(true);
    try {
      const results = await inGroups(selection.ids, restore);
      const restored = results.reduce((sum, result) => sum + result.restored, 0);
      notify({ text: words.restored(fileCountText(words, formats, restored)) });
      selection.clear();
      list.reload();
    } catch (error) {
      notify({ text: errorText(locale, error), isError: true });
    } finally {
      setBusy(false);
    }
  }
  if (list.value === undefined || list.error !== undefined) return <LoadState loaded={list} />;
  const ids = list.items.map(({ id }) => id);
  return (
    <div class="stack">
      <p class="quiet">{words.noTrashHint(formats.period(service.trashMs))}</p>
      {list.items.length === 0 ? (
        <div class="empty">
          <p>{words.noTrash}</p>
        </div>
      ) : (
        <table class="list">
          <caption class="visually-hidden">{words.views.trash}</caption>
          <thead>
            <tr>
              <SelectAllHeader ids={ids} selection={selection} />
              <th scope="col">{words.name}</th>
              {hasOwners && (
                <th class="wide" scope="col">
                  {words.owner}
                </th>
              )}
              <th class="wide number" scope="col">
                {words.size}
              </th>
              <th class="wide" scope="col">
                {words.deletedAt}
              </th>
              <th scope="col">{words.restorableUntil}</th>
            </tr>
          </thead>
          <tbody>
            {list.items.map((file) => (
              <tr key={file.id}>
                <td class="check-cell">
                  <input
                    type="checkbox"
                    aria-label={words.select(file.name)}
                    checked={selection.has(file.id)}
                    onChange={({ currentTarget }) => selection.set(file.id, currentTarget.checked)}
                  />
                </td>
                <td class="name-cell">
                  {file.name}
                  <span class="narrow quiet">
                    {formats.bytes(file.size)}
                    {hasOwners && ` · ${file.owner}`}
                  </span>
                </td>
                {hasOwners && <td class="wide owner-cell">{file.owner}</td>}
                <td class="wide number">{formats.bytes(file.size)}</td>
                <td class="wide">
                  {formats.relative(file.removedAt)}
                  {file.removedBy !== '' && <span class="quiet"> · {file.removedBy}</span>}
                </td>
                <td>{formats.relative(file.restorableUntil)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <MoreButton list={list} />
      {selection.ids.length > 0 && (
        <section class="selection-bar" aria-label={words.actions}>
          <span role="status">{fileCountText(words, formats, selection.ids.length)}</span>
          <button type="button" class="link-button" onClick={selection.clear}>
            {words.clearSelection}
          </button>
          <button type="button" class="primary" disabled={isBusy} onClick={restoreSelected}>
            {words.restore}
          </button>
        </section>
      )}
    </div>
  );
}
