import { call } from '../lib/api.ts';
import { useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { Facts } from './facts.tsx';
import { LineChart } from './line-chart.tsx';
import { LoadState } from './load-state.tsx';

const DAYS = '30';

/** The stored bytes of the last 30 days, their growth, and when the disk will be full. */
export function History() {
  const { words, formats } = useLocale();
  const loaded = useLoaded('history', (signal) =>
    call('GET /admin/history', { query: { days: DAYS }, signal }),
  );
  if (loaded.value === undefined) return <LoadState loaded={loaded} />;
  const { samples, growthPerDay, fullAt } = loaded.value;
  const { bytes, date, relative } = formats;
  return (
    <section class="stack">
      <h2>{words.history}</h2>
      <LineChart
        points={samples.map((sample) => ({ at: new Date(sample.at).getTime(), value: sample.bytes }))}
        label={words.historyLabel(bytes(samples[0]?.bytes ?? 0), bytes(samples.at(-1)?.bytes ?? 0))}
        formatValue={bytes}
        formatTime={date}
      />
      <Facts
        facts={[
          [words.growth, growthPerDay === null ? words.unknown : signedBytes(growthPerDay)],
          [words.fullAt, fullAt === null ? words.notForeseeable : `${date(fullAt)} (${relative(fullAt)})`],
        ]}
      />
    </section>
  );

  function signedBytes(growth: number): string {
    return `${growth < 0 ? '−' : ''}${bytes(Math.abs(growth))}`;
  }
}
