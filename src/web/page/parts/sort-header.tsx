interface SortHeaderProps {
  readonly label: string;
  readonly sort: string;
  readonly onSort: (sort: string) => void;
  /** The values of `sort` for this column. The first click chooses the descending one, if there is one. */
  readonly ascending?: string;
  readonly descending?: string;
  readonly className?: string;
}

/** The header of a column that sorts the list. */
export function SortHeader({ label, sort, onSort, ascending, descending, className = '' }: SortHeaderProps) {
  const direction = sort === ascending ? 'ascending' : sort === descending ? 'descending' : 'none';
  const next = direction === 'descending' ? (ascending ?? descending) : (descending ?? ascending);
  const arrow = { ascending: '↑', descending: '↓', none: '' }[direction];
  return (
    <th class={className} scope="col" aria-sort={direction}>
      <button type="button" class="sort-button" onClick={() => onSort(next ?? '')}>
        {label} <span aria-hidden="true">{arrow}</span>
      </button>
    </th>
  );
}
