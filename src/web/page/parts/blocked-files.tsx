import { useState } from 'preact/hooks';
import { type Answer, call } from '../lib/api.ts';
import { useLocale } from '../lib/language.ts';
import { useNotices } from '../lib/notices.ts';
import { usePages } from '../lib/pages.ts';
import { usePageSession } from '../lib/session.ts';
import { BlockDialog } from './block-dialog.tsx';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { Field } from './field.tsx';
import { LoadState } from './load-state.tsx';
import { MoreButton } from './more-button.tsx';
import { RelativeTime } from './relative-time.tsx';

type BlockedFile = Answer<'GET /admin/blocked'>['files'][number];

/** Files that are blocked by their content. Admins add and remove them. */
export function BlockedFiles() {
  const { words, formats } = useLocale();
  const { session } = usePageSession();
  const notify = useNotices();
  const [target, setTarget] = useState('');
  const [toBlock, setToBlock] = useState<string | null>(null);
  const [toUnblock, setToUnblock] = useState<BlockedFile | null>(null);
  const isAdmin = session?.role === 'admin';
  const list = usePages<BlockedFile>('blocked', async (cursor, signal) => {
    const query = cursor === undefined ? {} : { cursor };
    const { files, next } = await call('GET /admin/blocked', { query, ...(signal && { signal }) });
    return { items: files, next };
  });
  async function unblock({ sha256 }: BlockedFile): Promise<void> {
    await call('POST /admin/blocked/remove', { body: { sha256 } });
    notify({ text: words.unblocked });
    list.reload();
  }
  if (list.value === undefined) return <LoadState loaded={list} />;
  return (
    <>
      {isAdmin && (
        <form
          class="tools"
          onSubmit={(event) => {
            event.preventDefault();
            if (target.trim() !== '') setToBlock(target.trim());
          }}
        >
          <Field label={words.blockTarget} value={target} onText={setTarget} autocapitalize="none" />
          <button type="submit">{words.block}</button>
        </form>
      )}
      {list.items.length === 0 ? (
        <p class="quiet">{words.noBlockedFiles}</p>
      ) : (
        <table class="list">
          <caption class="visually-hidden">{words.blockedFiles}</caption>
          <thead>
            <tr>
              <th scope="col">SHA-256</th>
              <th scope="col">{words.reasonColumn}</th>
              <th class="wide" scope="col">
                {words.actor}
              </th>
              <th class="wide" scope="col">
                {words.at}
              </th>
              {isAdmin && (
                <th class="action-cell" scope="col">
                  {words.actions}
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {list.items.map((file) => (
              <tr key={file.sha256}>
                <td class="name-cell" title={file.sha256}>
                  <code>{file.sha256.slice(0, 16)}…</code>
                  {file.size !== null && <span class="quiet block">{formats.bytes(file.size)}</span>}
                </td>
                <td class="name-cell">{file.reason}</td>
                <td class="wide owner-cell">{file.blockedBy}</td>
                <td class="wide">
                  <RelativeTime at={file.blockedAt} />
                </td>
                {isAdmin && (
                  <td>
                    <button type="button" onClick={() => setToUnblock(file)}>
                      {words.unblock}
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <MoreButton list={list} />
      {toBlock !== null && (
        <BlockDialog
          target={toBlock}
          name={toBlock}
          onClose={() => setToBlock(null)}
          onBlocked={() => {
            setTarget('');
            list.reload();
          }}
        />
      )}
      {toUnblock && (
        <ConfirmDialog
          title={words.unblockTitle}
          action={words.unblock}
          run={() => unblock(toUnblock)}
          onClose={() => setToUnblock(null)}
        >
          <p class="name-cell">{toUnblock.sha256}</p>
        </ConfirmDialog>
      )}
    </>
  );
}
