export interface ChartPoint {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly value: number;
}

interface LineChartProps {
  readonly title: string;
  readonly points: readonly ChartPoint[];
  /** Describes the chart for screen readers. */
  readonly label: string;
  readonly formatValue: (value: number) => string;
  readonly formatTime: (iso: string) => string;
}

const WIDTH = 600;
const HEIGHT = 120;

/** One value over time, from zero to its maximum. */
export function LineChart({ title, points, label, formatValue, formatTime }: LineChartProps) {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || first.at === last.at) return null;
  const max = Math.max(1, ...points.map(({ value }) => value));
  const x = (at: number) => ((at - first.at) / (last.at - first.at)) * WIDTH;
  const y = (value: number) => HEIGHT - (value / max) * (HEIGHT - 4);
  const line = points.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>
        <span>{formatValue(last.value)}</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        <polygon class="chart-area" points={`0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
        <polyline class="chart-line" points={line} />
      </svg>
      <figcaption>
        <span>{formatTime(new Date(first.at).toISOString())}</span>
        <span>max. {formatValue(max)}</span>
        <span>{formatTime(new Date(last.at).toISOString())}</span>
      </figcaption>
    </figure>
  );
}
