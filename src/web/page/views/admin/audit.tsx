import { type Answer, call } from '../../lib/api.ts';
import { fileCountText } from '../../lib/files.ts';
import { useLocale } from '../../lib/language.ts';
import { usePages } from '../../lib/pages.ts';
import { LoadState } from '../../parts/load-state.tsx';
import { MoreButton } from '../../parts/more-button.tsx';
import { RelativeTime } from '../../parts/relative-time.tsx';

type Entry = Answer<'GET /admin/audit'>['entries'][number];

/** The audit log: removals, restorations and changes, with their actors. */
export function AuditView() {
  const { words, formats } = useLocale();
  const list = usePages<Entry>('audit', async (cursor, signal) => {
    const query = cursor === undefined ? {} : { cursor };
    const { entries, next } = await call('GET /admin/audit', { query, ...(signal && { signal }) });
    return { items: entries, next };
  });
  if (list.value === undefined) return <LoadState loaded={list} />;
  if (list.items.length === 0) return <p class="quiet">{words.noAudit}</p>;
  return (
    <div class="stack">
      <table class="list">
        <caption class="visually-hidden">{words.views.audit}</caption>
        <thead>
          <tr>
            <th scope="col">{words.at}</th>
            <th scope="col">{words.action}</th>
            <th class="wide" scope="col">
              {words.subject}
            </th>
            <th class="wide" scope="col">
              {words.actor}
            </th>
            <th class="wide" scope="col">
              {words.network}
            </th>
          </tr>
        </thead>
        <tbody>
          {list.items.map((entry) => (
            <tr key={`${entry.at} ${entry.actor} ${entry.action} ${entry.subject}`}>
              <td>
                <RelativeTime at={entry.at} />
              </td>
              <td class="name-cell">
                {words.auditActions[entry.action] ?? entry.action}
                <span class="quiet block">
                  {entry.files > 0 &&
                    `${fileCountText(words, formats, entry.files)}, ${formats.bytes(entry.bytes)}`}
                </span>
                <span class="narrow quiet">
                  {entry.subject}
                  <br />
                  {words.actor}: {entry.actor}
                </span>
              </td>
              <td class="wide name-cell">{entry.subject}</td>
              <td class="wide owner-cell">{entry.actor}</td>
              <td class="wide">{entry.address}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <MoreButton list={list} />
    </div>
  );
}
