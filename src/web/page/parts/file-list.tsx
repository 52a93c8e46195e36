import { useState } from 'preact/hooks';
import { fileCountText, inGroups, type ShownFile, sumOf } from '../lib/files.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { useNotices } from '../lib/notices.ts';
import type { PagedList } from '../lib/pages.ts';
import { useSelection } from '../lib/selection.ts';
import { usePageSession } from '../lib/session.ts';
import { BlockDialog } from './block-dialog.tsx';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { Field } from './field.tsx';
import { FileDialog } from './file-dialog.tsx';
import { FileTable } from './file-table.tsx';
import { LoadState } from './load-state.tsx';
import { MoreButton } from './more-button.tsx';

interface Removal {
  readonly removed: number;
  readonly bytes: number;
  readonly restorableUntil: string | null;
}

interface FileListProps {
  readonly list: PagedList<ShownFile>;
  readonly sort: string;
  readonly onSort: (sort: string) => void;
  readonly isFiltered: boolean;
  readonly remove: (ids: string[], reason: string) => Promise<Removal>;
  readonly restore: (ids: string[]) => Promise<{ readonly restored: number }>;
  readonly onChanged: () => void;
  readonly canSortByName?: boolean;
  readonly canChangeExpiry?: boolean;
  readonly hasOwners?: boolean;
}

/** A list of files of which one, several or all can be deleted. */
export function FileList(props: FileListProps) {
  const { list, hasOwners = false, onChanged } = props;
  const locale = useLocale();
  const { words, formats } = locale;
  const { service, session } = usePageSession();
  const notify = useNotices();
  const selection = useSelection();
  const [opened, setOpened] = useState<ShownFile | null>(null);
  const [toDelete, setToDelete] = useState<readonly ShownFile[]>([]);
  const [toBlock, setToBlock] = useState<ShownFile | null>(null);
  const [reason, setReason] = useState('');
  const selected = list.items.filter(({ id }) => selection.has(id));

  async function remove(): Promise<void> {
    const ids = toDelete.map(({ id }) => id);
    const results = await inGroups(ids, (group) => props.remove(group, reason));
    const removed = results.reduce((sum, result) => sum + result.removed, 0);
    const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
    const canUndo = results.some(({ restorableUntil }) => restorableUntil !== null);
    selection.clear();
    notify({
      text: words.deleted(fileCountText(words, formats, removed), formats.bytes(bytes)),
      ...(canUndo && { action: { label: words.undo, run: () => void undo(ids) } }),
    });
    onChanged();
  }

  async function undo(ids: readonly string[]): Promise<void> {
    try {
      const results = await inGroups(ids, props.restore);
      const restored = results.reduce((sum, result) => sum + result.restored, 0);
      notify({ text: words.restored(fileCountText(words, formats, restored)) });
    } catch (error) {
      notify({ text: errorText(locale, error), isError: true });
    }
    onChanged();
  }

  if (list.value === undefined || list.error !== undefined) return <LoadState loaded={list} />;
  return (
    <div class="stack" aria-busy={list.isLoading}>
      {list.items.length === 0 ? (
        <div class="empty">
          <p>{props.isFiltered || hasOwners ? words.noMatches : words.noFiles}</p>
          {!props.isFiltered && !hasOwners && <p class="quiet">{words.noFilesHint}</p>}
        </div>
      ) : (
        <FileTable
          files={list.items}
          selection={selection}
          sort={props.sort}
          onSort={props.onSort}
          onOpen={setOpened}
          onDelete={(file) => setToDelete([file])}
          hasOwners={hasOwners}
          canSortByName={props.canSortByName ?? false}
        />
      )}
      <MoreButton list={list} />
      {selected.length > 0 && (
        <section class="selection-bar" aria-label={words.actions}>
          <span role="status">
            {words.selected(fileCountText(words, formats, selected.length), formats.bytes(sumOf(selected)))}
          </span>
          <button type="button" class="link-button" onClick={selection.clear}>
            {words.clearSelection}
          </button>
          <button type="button" class="danger" onClick={() => setToDelete(selected)}>
            {words.delete}
          </button>
        </section>
      )}
      {opened && (
        <FileDialog
          file={opened}
          onClose={() => setOpened(null)}
          onDelete={() => {
            setToDelete([opened]);
            setOpened(null);
          }}
          {...(hasOwners &&
            session?.role === 'admin' && {
              onBlock: () => {
                setToBlock(opened);
                setOpened(null);
              },
            })}
          {...(props.canChangeExpiry && {
            onChanged: (file: ShownFile) => {
              setOpened(file);
              onChanged();
            },
          })}
        />
      )}
      {toBlock && (
        <BlockDialog
          target={toBlock.id}
          name={toBlock.name}
          onClose={() => setToBlock(null)}
          onBlocked={onChanged}
        />
      )}
      {toDelete.length > 0 && (
        <ConfirmDialog
          title={words.deleteTitle(toDelete.length)}
          action={words.delete}
          run={remove}
          onClose={() => setToDelete([])}
        >
          <p>
            {words.deleteText(fileCountText(words, formats, toDelete.length), formats.bytes(sumOf(toDelete)))}
          </p>
          <ul class="names">
            {toDelete.slice(0, 5).map(({ id, name }) => (
              <li key={id}>{name}</li>
            ))}
            {toDelete.length > 5 && <li>…</li>}
          </ul>
          <p class="quiet">
            {service.trashMs > 0
              ? words.deleteWithTrash(formats.period(service.trashMs))
              : words.deleteForGood}
          </p>
          {hasOwners && <Field label={words.reason} value={reason} maxLength={200} onText={setReason} />}
        </ConfirmDialog>
      )}
    </div>
  );
}
