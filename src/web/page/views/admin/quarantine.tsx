import { useState } from 'preact/hooks';
import { type Answer, apiUrl, call } from '../../lib/api.ts';
import { fileCountText } from '../../lib/files.ts';
import { useLocale } from '../../lib/language.ts';
import { useNotices } from '../../lib/notices.ts';
import { usePages } from '../../lib/pages.ts';
import { usePageSession } from '../../lib/session.ts';
import { BlockDialog } from '../../parts/block-dialog.tsx';
import { BlockedFiles } from '../../parts/blocked-files.tsx';
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx';
import { LoadState } from '../../parts/load-state.tsx';
import { MoreButton } from '../../parts/more-button.tsx';
import { RelativeTime } from '../../parts/relative-time.tsx';

type InfectedFile = Answer<'GET /admin/quarantine'>['files'][number];

/** Infected files and blocked files. Moderators see and delete, admins also release, download and block. */
export function QuarantineView() {
  const [blockedVersion, setBlockedVersion] = useState(0);
  const { words } = useLocale();
  return (
    <div class="stack">
      <section class="stack" aria-labelledby="infected-files">
        <h2 id="infected-files">{words.infectedFiles}</h2>
        <InfectedFiles onBlocked={() => setBlockedVersion(blockedVersion + 1)} />
      </section>
      <section class="stack" aria-labelledby="blocked-files">
        <h2 id="blocked-files">{words.blockedFiles}</h2>
        <BlockedFiles key={blockedVersion} />
      </section>
    </div>
  );
}

type Dialog = { readonly kind: 'delete' | 'release' | 'block'; readonly file: InfectedFile };

function InfectedFiles({ onBlocked }: { onBlocked: () => void }) {
  const { words, formats } = useLocale();
  const { session } = usePageSession();
  const notify = useNotices();
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const isAdmin = session?.role === 'admin';
  const list = usePages<InfectedFile>('quarantine', async (cursor, signal) => {
    const query = cursor === undefined ? {} : { cursor };
    const { files, next } = await call('GET /admin/quarantine', { query, ...(signal && { signal }) });
    return { items: files, next };
  });
  async function remove({ id }: InfectedFile): Promise<void> {
    const { deleted } = await call('POST /admin/quarantine/delete', { body: { ids: [id] } });
    notify({ text: words.infectedDeleted(fileCountText(words, formats, deleted)) });
    list.reload();
  }
  async function release({ id, name }: InfectedFile): Promise<void> {
    await call('POST /admin/quarantine/{id}/release', { params: { id } });
    notify({ text: words.released(name) });
    list.reload();
  }
  if (list.value === undefined) return <LoadState loaded={list} />;
  if (list.items.length === 0) return <p class="quiet">{words.noInfectedFiles}</p>;
  return (
    <>
      <p class="quiet">{words.infectedHint}</p>
      <table class="list">
        <caption class="visually-hidden">{words.infectedFiles}</caption>
        <thead>
          <tr>
            <th scope="col">{words.name}</th>
            <th scope="col">{words.signature}</th>
            <th class="wide" scope="col">
              {words.owner}
            </th>
            <th class="wide number" scope="col">
              {words.size}
            </th>
            <th class="wide" scope="col">
              {words.at}
            </th>
            <th class="action-cell" scope="col">
              {words.actions}
            </th>
          </tr>
        </thead>
        <tbody>
          {list.items.map((file) => (
            <tr key={file.id}>
              <td class="name-cell">
                {file.name}
                <span class="narrow quiet">
                  {formats.bytes(file.size)} · {file.owner}
                </span>
              </td>
              <td class="name-cell">{file.signature}</td>
              <td class="wide owner-cell">{file.owner}</td>
              <td class="wide number">{formats.bytes(file.size)}</td>
              <td class="wide">
                <RelativeTime at={file.foundAt} />
              </td>
              <td>
                <div class="buttons">
                  {isAdmin && file.hasContent && (
                    <>
                      <button
                        type="button"
                        aria-label={words.releaseFile(file.name)}
                        onClick={() => setDialog({ kind: 'release', file })}
                      >
                        {words.release}
                      </button>
                      <a
                        class="button"
                        aria-label={words.downloadFile(file.name)}
                        href={apiUrl(`/admin/quarantine/${file.id}/content`)}
                        download
                      >
                        {words.download}
                      </a>
                    </>
                  )}
                  {isAdmin && file.sha256 !== null && !file.isBlocked && (
                    <button
                      type="button"
                      aria-label={words.blockFile(file.name)}
                      onClick={() => setDialog({ kind: 'block', file })}
                    >
                      {words.block}
                    </button>
                  )}
                  <button
                    type="button"
                    class="danger"
                    aria-label={words.deleteNamed(file.name)}
                    onClick={() => setDialog({ kind: 'delete', file })}
                  >
                    {words.delete}
                  </button>
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <MoreButton list={list} />
      {dialog?.kind === 'delete' && (
        <ConfirmDialog
          title={words.deleteInfectedTitle}
          action={words.delete}
          run={() => remove(dialog.file)}
          onClose={() => setDialog(null)}
        >
          <p>{dialog.file.name}</p>
        </ConfirmDialog>
      )}
      {dialog?.kind === 'release' && (
        <ConfirmDialog
          title={words.releaseTitle}
          action={words.release}
          run={() => release(dialog.file)}
          onClose={() => setDialog(null)}
        >
          <p>{words.releaseHint(dialog.file.name, dialog.file.owner, dialog.file.signature)}</p>
        </ConfirmDialog>
      )}
      {dialog?.kind === 'block' && (
        <BlockDialog
          target={dialog.file.id}
          name={dialog.file.name}
          onClose={() => setDialog(null)}
          onBlocked={() => {
            list.reload();
            onBlocked();
          }}
        />
      )}
    </>
  );
}
