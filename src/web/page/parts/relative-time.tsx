import { useLocale } from '../lib/language.ts';

/** A time in relation to now, such as "2 minutes ago". A tooltip shows the date. `at`: ISO 8601. */
export function RelativeTime({ at }: { at: string }) {
  const { formats } = useLocale();
  return (
    <time dateTime={at} title={formats.dateTime(at)}>
      {formats.relative(at)}
    </time>
  );
}
