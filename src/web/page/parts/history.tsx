import { type Answer, call } from '../lib/api.ts';
import { useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { DayChart } from './day-chart.tsx';
import { Facts } from './facts.tsx';
import { LineChart } from './line-chart.tsx';
import { LoadState } from './load-state.tsx';

const DAYS = 30;
const COUNTS = ['uploads', 'downloads', 'refusals'] as const;

type Days = Answer<'GET /admin/history'>['days'];

/** The stored bytes and the requests of the last 30 days, the growth, and when the disk will be full. */
export function History() {
  const { words, formats } = useLocale();
  const loaded = useLoaded('history', (signal) =>
    call('GET /admin/history', { query: { days: String(DAYS) }, signal }),
  );
  if (loaded.value === undefined) return <LoadState loaded={loaded} />;
  const { samples, days, growthPerDay, fullAt } = loaded.value;
  const { bytes, date, relative } = formats;
  return (
    <section class="stack">
      <h2>{words.history}</h2>
      <Facts
        facts={[
          [words.growth, growthPerDay === null ? words.unknown : signedBytes(growthPerDay)],
          [words.fullAt, fullAt === null ? words.notForeseeable : `${date(fullAt)} (${relative(fullAt)})`],
        ]}
      />
      <LineChart
        title={words.stored}
        points={samples.map((sample) => ({ at: new Date(sample.at).getTime(), value: sample.bytes }))}
        label={words.historyLabel(bytes(samples[0]?.bytes ?? 0), bytes(samples.at(-1)?.bytes ?? 0))}
        formatValue={bytes}
        formatTime={date}
      />
      <div class="charts">
        {COUNTS.map((name) => (
          <DayChart
            key={name}
            title={words.dayCounts[name]}
            days={days.map((one) => ({ day: one.day, value: one[name] }))}
            span={DAYS}
          />
        ))}
      </div>
      {days.length > 0 && <DayTable days={days} />}
    </section>
  );

  function signedBytes(growth: number): string {
    return `${growth < 0 ? '−' : ''}${bytes(Math.abs(growth))}`;
  }
}

/** The numbers of the charts, for screen readers and for copying. */
function DayTable({ days }: { days: Days }) {
  const { words, formats } = useLocale();
  return (
    <details>
      <summary>{words.asTable}</summary>
      <table class="list compact">
        <caption class="visually-hidden">{words.history}</caption>
        <thead>
          <tr>
            <th scope="col">{words.day}</th>
            {COUNTS.map((name) => (
              <th key={name} class="number" scope="col">
                {words.dayCounts[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {days.toReversed().map((one) => (
            <tr key={one.day}>
              <td>{formats.utcDate(one.day)}</td>
              {COUNTS.map((name) => (
                <td key={name} class="number">
                  {formats.number(one[name])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
