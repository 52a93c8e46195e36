import { useState } from 'preact/hooks';

/** The selected entries of a list, by their ids. */
export interface Selection {
  readonly ids: readonly string[];
  readonly has: (id: string) => boolean;
  readonly hasAll: (ids: readonly string[]) => boolean;
  readonly set: (id: string, isSelected: boolean) => void;
  readonly setAll: (ids: readonly string[], isSelected: boolean) => void;
  readonly clear: () => void;
}

export function useSelection(): Selection {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  return {
    ids: [...selected],
    has: (id) => selected.has(id),
    hasAll: (ids) => ids.length > 0 && ids.every((id) => selected.has(id)),
    set: (id, isSelected) =>
      setSelected((old) => new Set(isSelected ? [...old, id] : [...old].filter((other) => other !== id))),
    setAll: (ids, isSelected) => setSelected(new Set(isSelected ? ids : [])),
    clear: () => setSelected(new Set()),
  };
}
