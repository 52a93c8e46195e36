import { type Answer, call } from '../../lib/api.ts';
import { fileCountText } from '../../lib/files.ts';
import { useLocale } from '../../lib/language.ts';
import { useLoaded } from '../../lib/load.ts';
import { Bar } from '../../parts/bar.tsx';
import { Doctor } from '../../parts/doctor.tsx';
import { Facts } from '../../parts/facts.tsx';
import { History } from '../../parts/history.tsx';
import { LoadState } from '../../parts/load-state.tsx';

type Status = Answer<'GET /admin/status'>;

/** The totals, the disk, the streams and the queues. */
export function StatusView() {
  const { words, formats } = useLocale();
  const loaded = useLoaded('status', (signal) => call('GET /admin/status', { signal }));
  if (loaded.value === undefined) return <LoadState loaded={loaded} />;
  const status = loaded.value;
  const { number, bytes } = formats;
  return (
    <div class="stack sections">
      <Disk status={status} />
      <History />
      <section class="stack">
        <h2>{words.totals}</h2>
        <Facts
          facts={[
            [words.stored, `${bytes(status.bytes)}, ${fileCountText(words, formats, status.files)}`],
            [words.quota, status.quotaBytes === null ? words.unlimited : bytes(status.quotaBytes)],
            [words.views.users, number(status.owners)],
            [words.allStates.issued, number(status.pendingFiles)],
            [words.failedDeletes, number(status.failedDeletes)],
            [words.version, status.version],
          ]}
        />
      </section>
      <section class="stack">
        <h2>{words.streams}</h2>
        <Facts
          facts={status.streams.map(({ jid, up, reason }) => [
            jid,
            <span key={jid} class={up ? 'state-good' : 'state-bad'}>
              {up ? words.connected : `${words.disconnected}${reason === null ? '' : `: ${reason}`}`}
            </span>,
          ])}
        />
      </section>
      <section class="stack">
        <h2>{words.queues}</h2>
        <Facts
          facts={[
            [words.queuedMessages, number(status.queues.messages)],
            [words.queuedCallbacks, number(status.queues.callbacks)],
          ]}
        />
      </section>
      <Doctor />
      <div>
        <button type="button" onClick={loaded.reload}>
          {words.refresh}
        </button>
      </div>
    </div>
  );
}

function Disk({ status: { space } }: { status: Status }) {
  const { words, formats } = useLocale();
  if (space === null) return null;
  const used = space.total - space.free;
  return (
    <section class="stack">
      <h2>{words.disk}</h2>
      <div class="limit">
        <div class="limit-text">
          <span>{words.diskOf(formats.bytes(space.free), formats.bytes(space.total))}</span>
        </div>
        <Bar
          isLevel
          value={used}
          max={space.total}
          label={words.disk}
          text={words.diskOf(formats.bytes(space.free), formats.bytes(space.total))}
        />
      </div>
    </section>
  );
}
