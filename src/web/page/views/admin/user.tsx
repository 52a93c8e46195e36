import { useState } from 'preact/hooks';
import { type Answer, call } from '../../lib/api.ts';
import { fileCountText } from '../../lib/files.ts';
import { useLocale } from '../../lib/language.ts';
import { useLoaded } from '../../lib/load.ts';
import { useNotices } from '../../lib/notices.ts';
import { linkTo, type PageRoute } from '../../lib/route.ts';
import { usePageSession } from '../../lib/session.ts';
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx';
import { LoadState } from '../../parts/load-state.tsx';
import { QuotaBar } from '../../parts/quota-bar.tsx';
import { RefusalList } from '../../parts/refusal-list.tsx';
import { RuleFacts } from '../../parts/rule-facts.tsx';

type Details = Answer<'GET /admin/user'>;

/** One user: storage, rule and refusals. Admins can delete all files, or forget the user. */
export function UserView({ route }: { route: PageRoute }) {
  const { words } = useLocale();
  const { session } = usePageSession();
  const owner = route.argument;
  const loaded = useLoaded(owner, (signal) => call('GET /admin/user', { query: { owner }, signal }));
  if (loaded.value === undefined) return <LoadState loaded={loaded} />;
  const { quota, rule, refusals } = loaded.value;
  return (
    <div class="stack sections">
      <section class="stack">
        <h2>{owner}</h2>
        <QuotaBar quota={quota} />
        <p>
          <a href={linkTo('all-files', '', { owner })}>{words.filesOfUser}</a>
        </p>
      </section>
      <section class="stack">
        <h2>{words.rule}</h2>
        <RuleFacts rule={rule} />
      </section>
      <section class="stack">
        <h2>{words.refusals}</h2>
        <RefusalList refusals={refusals} />
      </section>
      <DeleteFiles owner={owner} quota={quota} onDone={loaded.reload} />
      {session?.role === 'admin' && <Forget owner={owner} onDone={loaded.reload} />}
    </div>
  );
}

interface RemovalProps {
  readonly owner: string;
  readonly onDone: () => void;
}

function DeleteFiles({ owner, quota: { files, bytes }, onDone }: RemovalProps & Pick<Details, 'quota'>) {
  const { words, formats } = useLocale();
  const notify = useNotices();
  const [isAsking, setAsking] = useState(false);
  async function remove(): Promise<void> {
    const result = await call('POST /admin/user/delete-files', { body: { owner, confirm: owner } });
    notify({
      text: words.deleted(fileCountText(words, formats, result.removed), formats.bytes(result.bytes)),
    });
    onDone();
  }
  return (
    <section class="stack">
      <h2>{words.deleteFilesOf}</h2>
      <p>{words.deleteFilesHint}</p>
      <div>
        <button type="button" class="danger" disabled={files === 0} onClick={() => setAsking(true)}>
          {words.deleteFilesOf}
        </button>
      </div>
      {isAsking && (
        <ConfirmDialog
          title={words.deleteFilesOf}
          action={words.delete}
          confirmText={owner}
          run={remove}
          onClose={() => setAsking(false)}
        >
          <p>{words.deleteText(fileCountText(words, formats, files), formats.bytes(bytes))}</p>
        </ConfirmDialog>
      )}
    </section>
  );
}

function Forget({ owner, onDone }: RemovalProps) {
  const { words } = useLocale();
  const notify = useNotices();
  const [isAsking, setAsking] = useState(false);
  async function forget(): Promise<void> {
    await call('POST /admin/user/forget', { body: { owner, confirm: owner } });
    notify({ text: words.forgotten });
    onDone();
  }
  return (
    <section class="stack danger-zone">
      <h2>{words.forget}</h2>
      <p>{words.forgetHint}</p>
      <div>
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          {words.forget}
        </button>
      </div>
      {isAsking && (
        <ConfirmDialog
          title={words.forget}
          action={words.forget}
          confirmText={owner}
          run={forget}
          onClose={() => setAsking(false)}
        >
          <p>{words.forgetHint}</p>
        </ConfirmDialog>
      )}
    </section>
  );
}
