const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Formats bytes, times and numbers in the language of the page. */
export interface Formats {
  readonly bytes: (bytes: number) => string;
  readonly number: (value: number) => string;
  /** `0.43` gives `43 %`. */
  readonly percent: (fraction: number) => string;
  /** A date, with the time of the day. */
  readonly dateTime: (iso: string) => string;
  readonly date: (iso: string) => string;
  /** The date of a day that begins at midnight in UTC. */
  readonly utcDate: (iso: string) => string;
  /** `in 3 days`, `5 minutes ago`. */
  readonly relative: (iso: string) => string;
  /** `3 days`. */
  readonly period: (ms: number) => string;
}

export function createFormats(language: string): Formats {
  const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const percents = new Intl.NumberFormat(language, { style: 'percent' });
  const dateTimes = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
  const dates = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
  const utcDates = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' });
  const relatives = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  return {
    bytes(bytes) {
      const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
      return `${numbers.format(bytes / 1024 ** step)} ${UNITS[step]}`;
    },
    number: (value) => numbers.format(value),
    percent: (fraction) => percents.format(fraction),
    dateTime: (iso) => dateTimes.format(new Date(iso)),
    date: (iso) => dates.format(new Date(iso)),
    utcDate: (iso) => utcDates.format(new Date(iso)),
    relative(iso) {
      const [value, unit] = largestUnit(new Date(iso).getTime() - Date.now());
      return relatives.format(value, unit);
    },
    period(ms) {
      const [value, unit] = largestUnit(ms);
      return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
    },
  };
}

/** Returns the beginning of a day (`2026-11-30`, of an input) in the time zone of the browser, as ISO 8601. */
export function startOfDay(day: string): string {
  return new Date(`${day}T00:00`).toISOString();
}

function largestUnit(ms: number): [value: number, unit: 'minute' | 'hour' | 'day'] {
  const size = Math.abs(ms);
  if (size >= 2 * DAY) return [Math.round(ms / DAY), 'day'];
  if (size >= 2 * HOUR) return [Math.round(ms / HOUR), 'hour'];
  return [Math.round(ms / MINUTE), 'minute'];
}
