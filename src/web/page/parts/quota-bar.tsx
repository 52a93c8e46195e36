import type { Answer } from '../lib/api.ts';
import { useLocale } from '../lib/language.ts';
import { Bar } from './bar.tsx';

type Quota = Answer<'GET /quota'>;
type Limit = Quota['limits'][number];

/** Limits that are numbers of files or uploads. All others are in bytes. */
const COUNTED: readonly string[] = ['uploadsPer', 'ownerFiles'];

/** Shows the use of each limit, when more space is free, and why an upload would be refused now. */
export function QuotaBar({ quota }: { quota: Quota }) {
  const { words, formats } = useLocale();
  const { bytes, number } = formats;
  if (!quota.isAllowed) return <p class="warning">{words.uploadsNotAllowed}</p>;
  const files = words.fileCount(number(quota.files), quota.files === 1);
  return (
    <section class="quota" aria-label={words.storage}>
      {quota.limits.length === 0 && (
        <p>
          {words.storedUnlimited(bytes(quota.bytes))} <span class="quiet">· {files}</span>
        </p>
      )}
      {quota.limits.map((limit) => (
        <LimitBar key={`${limit.limit} ${limit.purpose} ${limit.periodMs}`} limit={limit} />
      ))}
      <p class="quiet">
        {[
          ...(quota.limits.length > 0 ? [files] : []),
          ...(quota.pendingBytes > 0 ? [words.pending(bytes(quota.pendingBytes))] : []),
        ].join(' · ')}
      </p>
      {quota.refusal !== null && <p class="warning">{words.uploadsRefused(quota.refusal)}</p>}
    </section>
  );
}

function LimitBar({ limit }: { limit: Limit }) {
  const { words, formats } = useLocale();
  const show = COUNTED.includes(limit.limit) ? formats.number : formats.bytes;
  const name = words.limitNames[limit.limit] ?? limit.limit;
  const text = `${show(limit.used)} / ${show(limit.allowed)}`;
  return (
    <div class="limit">
      <div class="limit-text">
        <span>{titleOf(name, limit)}</span>
        <span>
          {words.usedOf(show(limit.used), show(limit.allowed))}
          {limit.freesAt !== null && (
            <span class="quiet"> · {words.roomAt(formats.relative(limit.freesAt))}</span>
          )}
        </span>
      </div>
      <Bar isLevel value={limit.used} max={limit.allowed} label={titleOf(name, limit)} text={text} />
    </div>
  );

  function titleOf(title: string, { periodMs, purpose }: Limit): string {
    const named = purpose ? words.limitPurpose(title, purpose) : title;
    return periodMs === null ? named : words.limitPeriod(named, formats.period(periodMs));
  }
}
