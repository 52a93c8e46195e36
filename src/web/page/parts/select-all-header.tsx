import { useLocale } from '../lib/language.ts';
import type { Selection } from '../lib/selection.ts';

interface SelectAllHeaderProps {
  /** The shown entries. */
  readonly ids: readonly string[];
  readonly selection: Selection;
}

/** The header of a column of check boxes: selects all shown entries, or none. */
export function SelectAllHeader({ ids, selection }: SelectAllHeaderProps) {
  const { words } = useLocale();
  return (
    <th class="check-cell" scope="col">
      <input
        type="checkbox"
        aria-label={words.selectAll}
        checked={selection.hasAll(ids)}
        onChange={({ currentTarget }) => selection.setAll(ids, currentTarget.checked)}
      />
    </th>
  );
}
