import { useState } from 'preact/hooks';
import { ApiError, call } from '../../lib/api.ts';
import type { ShownFile } from '../../lib/files.ts';
import { startOfDay } from '../../lib/format.ts';
import { errorText, useLocale } from '../../lib/language.ts';
import { usePages } from '../../lib/pages.ts';
import { linkTo, type PageRoute, replaceRoute } from '../../lib/route.ts';
import { ErrorText } from '../../parts/error-text.tsx';
import { Field, Select } from '../../parts/field.tsx';
import { FileList } from '../../parts/file-list.tsx';
import { useSearchText } from '../../parts/list-tools.tsx';

type Sort = 'newest' | 'oldest' | 'largest';
type State = 'stored' | 'unscanned' | 'issued' | 'receiving';

const MEBIBYTE = 2 ** 20;
const FILTERS = ['owner', 'search', 'type', 'state', 'min', 'max', 'after', 'before'] as const;
type Filters = Readonly<Record<(typeof FILTERS)[number], string>>;

/** Files of all users, for admins and moderators. The filters are part of the address. */
export function AllFilesView({ route }: { route: PageRoute }) {
  const sort = (route.query.get('sort') ?? 'newest') as Sort;
  const filters = Object.fromEntries(FILTERS.map((key) => [key, route.query.get(key) ?? ''])) as Filters;
  const [found, setFound] = useState<ShownFile | null>(null);
  const list = usePages<ShownFile>(`${sort} ${JSON.stringify(filters)}`, async (cursor, signal) => {
    const query = { sort, ...toQuery(filters), ...(cursor && { cursor }) };
    const { files, next } = await call('GET /admin/files', { query, ...(signal && { signal }) });
    return { items: files, next };
  });
  const show = (change: Record<string, string>) => {
    setFound(null);
    replaceRoute(linkTo('all-files', '', { sort: sort === 'newest' ? '' : sort, ...filters, ...change }));
  };
  const shown = found === null ? list : { ...list, value: { items: [found], next: null }, items: [found] };
  return (
    <div class="stack">
      <FindFile onFound={setFound} />
      <FilterForm filters={filters} sort={sort} onChange={show} />
      <FileList
        list={found === null ? list : { ...shown, isComplete: true }}
        sort={sort}
        onSort={(next) => show({ sort: next })}
        isFiltered
        hasOwners
        remove={(ids, reason) =>
          call('POST /admin/files/delete', { body: { ids, ...(reason && { reason }) } })
        }
        restore={(ids) => call('POST /admin/trash/restore', { body: { ids } })}
        onChanged={() => {
          setFound(null);
          list.reload();
        }}
      />
    </div>
  );
}

function toQuery({ owner, search, type, state, min, max, after, before }: Filters) {
  const bytes = (mebibytes: string) => String(Math.round(Number(mebibytes) * MEBIBYTE));
  return {
    ...(owner && { owner }),
    ...(search && { search }),
    ...(type && { type }),
    ...(state && { state: state as State }),
    ...(min && { minSize: bytes(min) }),
    ...(max && { maxSize: bytes(max) }),
    ...(after && { after: startOfDay(after) }),
    ...(before && { before: startOfDay(before) }),
  };
}

/** Finds the file of a link that was pasted. */
function FindFile({ onFound }: { onFound: (file: ShownFile | null) => void }) {
  const locale = useLocale();
  const { words } = locale;
  const [link, setLink] = useState('');
  const [error, setError] = useState('');
  async function find(event: Event): Promise<void> {
    event.preventDefault();
    setError('');
    if (link.trim() === '') return onFound(null);
    try {
      onFound(await call('GET /admin/find', { query: { link: link.trim() } }));
    } catch (cause) {
      const isUnknown = cause instanceof ApiError && cause.status === 404;
      setError(isUnknown ? words.notAFile : errorText(locale, cause));
    }
  }
  return (
    <form class="tools" onSubmit={find}>
      <Field label={words.findLink} type="search" value={link} onText={setLink} />
      <button type="submit">{words.findFile}</button>
      <ErrorText text={error} />
    </form>
  );
}

interface FilterFormProps {
  readonly filters: Filters;
  readonly sort: Sort;
  readonly onChange: (change: Record<string, string>) => void;
}

function FilterForm({ filters, sort, onChange }: FilterFormProps) {
  const { words } = useLocale();
  const [search, setSearch] = useSearchText(filters.search, (text) => onChange({ search: text }));
  const [owner, setOwner] = useSearchText(filters.owner, (text) => onChange({ owner: text }));
  const [min, setMin] = useSearchText(filters.min, (text) => onChange({ min: text }));
  const [max, setMax] = useSearchText(filters.max, (text) => onChange({ max: text }));
  const { newest, oldest, largest } = words.sorts;
  const isDetailed = filters.state + filters.min + filters.max + filters.after + filters.before !== '';
  return (
    <search class="stack">
      <div class="tools">
        <Field label={words.search} type="search" value={search} onText={setSearch} />
        <Field label={words.owner} type="search" value={owner} onText={setOwner} autocapitalize="none" />
        <Select
          label={words.kind}
          value={filters.type}
          options={words.kinds}
          onChoice={(type) => onChange({ type })}
        />
        <Select
          label={words.sort}
          value={sort}
          options={{ newest, oldest, largest }}
          onChoice={(next) => onChange({ sort: next })}
        />
      </div>
      <details open={isDetailed}>
        <summary>{words.filters}</summary>
        <div class="tools">
          <Select
            label={words.state}
            value={filters.state || 'stored'}
            options={words.allStates}
            onChoice={(state) => onChange({ state: state === 'stored' ? '' : state })}
          />
          <Field label={words.minSize} type="number" min="0" value={min} onText={setMin} />
          <Field label={words.maxSize} type="number" min="0" value={max} onText={setMax} />
          <Field
            label={words.after}
            type="date"
            value={filters.after}
            onText={(after) => onChange({ after })}
          />
          <Field
            label={words.before}
            type="date"
            value={filters.before}
            onText={(before) => onChange({ before })}
          />
        </div>
      </details>
      {sort === 'largest' && filters.owner === '' && <p class="hint">{words.largestOnly}</p>}
    </search>
  );
}
