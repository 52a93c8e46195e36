interface BarProps {
  readonly value: number;
  readonly max: number;
  readonly label: string;
  readonly text: string;
  /** True for a fill level, which is shown as a warning near its maximum. False for a progress. */
  readonly isLevel?: boolean;
}

/**
 * A level or a progress as a bar. Screen readers get the element of HTML; the drawing is SVG, because browsers style
 * these elements differently and the page has no inline styles.
 */
export function Bar({ value, max, label, text, isLevel = false }: BarProps) {
  const share = max <= 0 ? 0 : Math.min(1, value / max);
  const level = !isLevel || share < 0.75 ? 'normal' : share < 0.9 ? 'high' : 'full';
  const limits = { min: 0, max: Math.max(1, max), low: max * 0.75, high: max * 0.9, optimum: 0 };
  return (
    <>
      {isLevel ? (
        <meter class="visually-hidden" aria-label={label} aria-valuetext={text} {...limits} value={value} />
      ) : (
        <progress class="visually-hidden" aria-label={label} max={Math.max(1, max)} value={value} />
      )}
      <svg class={`bar bar-${level}`} aria-hidden="true">
        <rect width={`${share * 100}%`} height="100%" />
      </svg>
    </>
  );
}
