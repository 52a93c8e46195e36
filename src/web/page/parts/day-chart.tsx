import { useLocale } from '../lib/language.ts';

interface DayChartProps {
  readonly title: string;
  /** The days without a gap, the oldest first. `day`: midnight in UTC, ISO 8601. */
  readonly days: readonly { readonly day: string; readonly value: number }[];
  /** Number of days of the whole width. With fewer days, the bars are at the right end. */
  readonly span: number;
}

const HEIGHT = 40;
const GAP = 0.2;

/** A number of each day as bars from zero. A mouse over a bar shows its day and number. */
export function DayChart({ title, days, span }: DayChartProps) {
  const { words, formats } = useLocale();
  const { number, utcDate } = formats;
  const max = Math.max(1, ...days.map(({ value }) => value));
  const sum = days.reduce((total, { value }) => total + value, 0);
  const shown = days.slice(-span);
  const first = span - shown.length;
  return (
    <figure class="chart day-chart">
      <figcaption>
        <strong>{title}</strong>
        <span>{number(sum)}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${span} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={words.dayChartLabel(title, number(sum), number(max))}
      >
        {shown.map(({ day, value }, index) => {
          const height = (value / max) * (HEIGHT - 2);
          const x = first + index + GAP / 2;
          return (
            <g key={day}>
              <title>{`${utcDate(day)}: ${number(value)}`}</title>
              <rect class="chart-hit" x={first + index} y="0" width="1" height={HEIGHT} />
              <rect class="chart-bar" x={x} y={HEIGHT - height} width={1 - GAP} height={height} />
            </g>
          );
        })}
      </svg>
      <figcaption>
        <span>{words.daysAgo(span)}</span>
        <span>{words.mostOnADay(number(max))}</span>
      </figcaption>
    </figure>
  );
}
