import { useState } from 'preact/hooks';
import { apiUrl, call } from '../lib/api.ts';
import { fileCountText } from '../lib/files.ts';
import { useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { useNotices } from '../lib/notices.ts';
import { usePageSession } from '../lib/session.ts';
import { ConfirmDialog } from '../parts/confirm-dialog.tsx';
import { SessionList } from '../parts/session-list.tsx';
import { TokenList } from '../parts/token-list.tsx';

/** The tokens, the sessions, and all files of the user. */
export function AccountView() {
  const { session } = usePageSession();
  if (session?.jid == null) return null;
  return (
    <div class="stack sections">
      <TokenList role={session.role} />
      <SessionList />
      <Everything jid={session.jid} />
    </div>
  );
}

function Everything({ jid }: { jid: string }) {
  const { words, formats } = useLocale();
  const { service } = usePageSession();
  const notify = useNotices();
  const quota = useLoaded('quota', (signal) => call('GET /quota', { signal }));
  const [isAsking, setAsking] = useState(false);
  async function removeAll(): Promise<void> {
    const { removed, bytes } = await call('POST /files/delete-all', { body: { confirm: jid } });
    notify({ text: words.deleted(fileCountText(words, formats, removed), formats.bytes(bytes)) });
    quota.reload();
  }
  const { files = 0, bytes = 0 } = quota.value ?? {};
  return (
    <section class="stack">
      <h2>{words.everything}</h2>
      <p>
        {words.everythingHint}{' '}
        {quota.value && `${fileCountText(words, formats, files)}, ${formats.bytes(bytes)}.`}
      </p>
      <div class="buttons">
        <a class="button" href={apiUrl('/archive')} download>
          {words.downloadAll}
        </a>
        <button type="button" class="danger" disabled={files === 0} onClick={() => setAsking(true)}>
          {words.deleteEverything}
        </button>
      </div>
      {isAsking && (
        <ConfirmDialog
          title={words.deleteEverythingTitle}
          action={words.deleteEverything}
          confirmText={jid}
          run={removeAll}
          onClose={() => setAsking(false)}
        >
          <p>{words.deleteText(fileCountText(words, formats, files), formats.bytes(bytes))}</p>
          <p class="quiet">
            {service.trashMs > 0
              ? words.deleteWithTrash(formats.period(service.trashMs))
              : words.deleteForGood}
          </p>
        </ConfirmDialog>
      )}
    </section>
  );
}
