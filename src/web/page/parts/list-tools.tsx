import { useEffect, useRef, useState } from 'preact/hooks';
import { useLocale } from '../lib/language.ts';
import { Field, Select } from './field.tsx';

interface ListToolsProps<Sort extends string> {
  readonly search: string;
  readonly onSearch: (text: string) => void;
  readonly sort: Sort;
  readonly sorts: Readonly<Record<Sort, string>>;
  readonly onSort: (sort: Sort) => void;
  readonly type: string;
  readonly onType: (type: string) => void;
}

const TYPING_MS = 300;

/** Search, sorting and kind of a list of files. */
export function ListTools<Sort extends string>(props: ListToolsProps<Sort>) {
  const { words } = useLocale();
  const [text, setText] = useSearchText(props.search, props.onSearch);
  return (
    <search class="tools">
      <Field label={words.search} type="search" value={text} onText={setText} />
      <Select label={words.kind} value={props.type} options={words.kinds} onChoice={props.onType} />
      <Select label={words.sort} value={props.sort} options={props.sorts} onChoice={props.onSort} />
    </search>
  );
}

/** The text of a search field. Calls `onSearch` when the user stops typing. */
export function useSearchText(
  search: string,
  onSearch: (text: string) => void,
): [text: string, setText: (text: string) => void] {
  const [text, setText] = useState(search);
  const latest = useRef(onSearch);
  latest.current = onSearch;
  useEffect(() => {
    if (text === search) return;
    const timer = setTimeout(() => latest.current(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, search]);
  return [text, setText];
}
