import { type Answer, call } from '../../lib/api.ts';
import { useLocale } from '../../lib/language.ts';
import { usePages } from '../../lib/pages.ts';
import { linkTo, type PageRoute, replaceRoute } from '../../lib/route.ts';
import { Bar } from '../../parts/bar.tsx';
import { Field, Select } from '../../parts/field.tsx';
import { useSearchText } from '../../parts/list-tools.tsx';
import { LoadState } from '../../parts/load-state.tsx';
import { MoreButton } from '../../parts/more-button.tsx';

type User = Answer<'GET /admin/users'>['users'][number];
type Sort = 'name' | 'largest';

/** The users with their storage. */
export function UsersView({ route }: { route: PageRoute }) {
  const { words, formats } = useLocale();
  const sort = (route.query.get('sort') ?? 'largest') as Sort;
  const search = route.query.get('search') ?? '';
  const show = (change: Record<string, string>) =>
    replaceRoute(linkTo('users', '', { sort, search, ...change }));
  const [text, setText] = useSearchText(search, (next) => show({ search: next }));
  const list = usePages<User>(`${sort} ${search}`, async (cursor, signal) => {
    const query = { sort, ...(search && { search }), ...(cursor && { cursor }) };
    const { users, next } = await call('GET /admin/users', { query, ...(signal && { signal }) });
    return { items: users, next };
  });
  return (
    <div class="stack">
      <search class="tools">
        <Field label={words.usersSearch} type="search" autocapitalize="none" value={text} onText={setText} />
        <Select
          label={words.sort}
          value={sort}
          options={words.userSorts}
          onChoice={(next) => show({ sort: next })}
        />
      </search>
      <LoadState loaded={list} />
      {list.value !== undefined && list.items.length === 0 && (
        <div class="empty">
          <p>{words.noUsers}</p>
        </div>
      )}
      {list.items.length > 0 && (
        <table class="list">
          <caption class="visually-hidden">{words.views.users}</caption>
          <thead>
            <tr>
              <th scope="col">{words.address}</th>
              <th class="number" scope="col">
                {words.stored}
              </th>
              <th class="wide" scope="col">
                {words.limit}
              </th>
              <th class="wide number" scope="col">
                {words.files}
              </th>
              <th class="wide" scope="col">
                {words.lastUpload}
              </th>
            </tr>
          </thead>
          <tbody>
            {list.items.map((user) => (
              <UserRow key={user.owner} user={user} />
            ))}
          </tbody>
        </table>
      )}
      <MoreButton list={list} />
    </div>
  );

  function UserRow({ user: { owner, bytes, quotaBytes, files, lastUploadAt } }: { user: User }) {
    return (
      <tr>
        <td class="name-cell">
          <a href={linkTo('user', owner)}>{owner}</a>
          <span class="narrow quiet">
            {words.fileCount(formats.number(files), files === 1)}
            {lastUploadAt !== null && ` · ${formats.relative(lastUploadAt)}`}
          </span>
        </td>
        <td class="number">{formats.bytes(bytes)}</td>
        <td class="wide">
          {quotaBytes === null ? (
            <span class="quiet">{words.unlimited}</span>
          ) : (
            <div class="cell-meter">
              <Bar
                isLevel
                value={bytes}
                max={quotaBytes}
                label={words.stored}
                text={words.usedOf(formats.bytes(bytes), formats.bytes(quotaBytes))}
              />
              <span>{formats.bytes(quotaBytes)}</span>
            </div>
          )}
        </td>
        <td class="wide number">{formats.number(files)}</td>
        <td class="wide">{lastUploadAt === null ? words.never : formats.relative(lastUploadAt)}</td>
      </tr>
    );
  }
}
