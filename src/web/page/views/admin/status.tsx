import { type Answer, call } from '../../lib/api.ts';
import { fileCountText } from '../../lib/files.ts';
import { useLocale } from '../../lib/language.ts';
import { useLoaded } from '../../lib/load.ts';
import { Bar } from '../../parts/bar.tsx';
import { Doctor } from '../../parts/doctor.tsx';
import { Facts } from '../../parts/facts.tsx';
import { History } from '../../parts/history.tsx';
import { LoadState } from '../../parts/load-state.tsx';
import { Sweeps } from '../../parts/sweeps.tsx';

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
      <Disks status={status} />
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
      <Sweeps />
      <Doctor />
      <div>
        <button type="button" onClick={loaded.reload}>
          {words.refresh}
        </button>
      </div>
    </div>
  );
}

/** The free space of each disk, in bytes and in files (inodes). Two stores with equal totals are shown once, as one disk. */
function Disks({ status: { disks } }: { status: Status }) {
  const { words, formats } = useLocale();
  const { bytes, number } = formats;
  const [first, second] = disks;
  if (first === undefined) return null;
  const isOne = first.total === second?.total && first.totalFiles === second.totalFiles;
  const shown = isOne
    ? [{ ...first, name: 'both' as const }]
    : disks.map((disk) => ({ ...disk, name: disk.store }));
  return (
    <section class="stack">
      <h2>{words.disk}</h2>
      {shown.map(({ name, isLow, free, total, freeFiles, totalFiles }) => (
        <div key={name} class="stack">
          <Level name={words.diskNames[name]} free={free} total={total} show={bytes} />
          {totalFiles > 0 && <Level name={words.inodes} free={freeFiles} total={totalFiles} show={number} />}
          {isLow && <p class="warning">{words.diskLow}</p>}
        </div>
      ))}
    </section>
  );
}

interface LevelProps {
  readonly name: string;
  readonly free: number;
  readonly total: number;
  readonly show: (value: number) => string;
}

function Level({ name, free, total, show }: LevelProps) {
  const { words } = useLocale();
  const text = words.diskOf(show(free), show(total));
  return (
    <div class="limit">
      <div class="limit-text">
        <span>{name}</span>
        <span>{text}</span>
      </div>
      <Bar isLevel value={total - free} max={total} label={name} text={text} />
    </div>
  );
}
