import type { ShownFile } from '../lib/files.ts';
import { useLocale } from '../lib/language.ts';
import type { Selection } from '../lib/selection.ts';
import { usePageSession } from '../lib/session.ts';
import { FileRow } from './file-row.tsx';
import { SelectAllHeader } from './select-all-header.tsx';
import { SortHeader } from './sort-header.tsx';

interface FileTableProps {
  readonly files: readonly ShownFile[];
  readonly selection: Selection;
  readonly sort: string;
  readonly onSort: (sort: string) => void;
  readonly onOpen: (file: ShownFile) => void;
  readonly onDelete: (file: ShownFile) => void;
  readonly hasOwners?: boolean;
  /** True if the list can also be sorted by name and by smallest size. */
  readonly canSortByName?: boolean;
}

/** The list of files. On a phone the size and times stand below the name. */
export function FileTable(props: FileTableProps) {
  const { files, selection, sort, onSort, hasOwners = false, canSortByName = false } = props;
  const { words } = useLocale();
  const { service } = usePageSession();
  const ids = files.map(({ id }) => id);
  return (
    <table class="list files">
      <caption class="visually-hidden">{hasOwners ? words.views.allFiles : words.views.files}</caption>
      <thead>
        <tr>
          <SelectAllHeader ids={ids} selection={selection} />
          {canSortByName ? (
            <SortHeader label={words.name} ascending="name" sort={sort} onSort={onSort} />
          ) : (
            <th scope="col">{words.name}</th>
          )}
          {hasOwners && (
            <th class="wide" scope="col">
              {words.owner}
            </th>
          )}
          <SortHeader
            className="wide number"
            label={words.size}
            descending="largest"
            {...(canSortByName && { ascending: 'smallest' })}
            sort={sort}
            onSort={onSort}
          />
          <SortHeader
            className="wide"
            label={words.uploaded}
            descending="newest"
            ascending="oldest"
            sort={sort}
            onSort={onSort}
          />
          <th class="wide" scope="col">
            {words.expires}
          </th>
          <th class="action-cell" scope="col">
            <span class="visually-hidden">{words.actions}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {files.map((file) => (
          <FileRow
            key={file.id}
            file={file}
            hasOwner={hasOwners}
            hasThumbnails={service.thumbnails}
            isSelected={selection.has(file.id)}
            onSelect={(isSelected) => selection.set(file.id, isSelected)}
            onOpen={() => props.onOpen(file)}
            onDelete={() => props.onDelete(file)}
          />
        ))}
      </tbody>
    </table>
  );
}
