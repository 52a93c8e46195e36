/** Returns the current time in whole milliseconds since 1970. Tests inject their own clock. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

/** Formats a time for tables, in UTC: `2026-12-30 00:44`. */
export function formatTimestamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}

/** Formats an XEP-0082 DateTime in UTC. Rounds up to whole seconds, so that a promised time is never too early. */
export function formatDateTime(ms: number): string {
  return new Date(Math.ceil(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

const DATE_TIME = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Parses an XEP-0082 DateTime to ms since 1970. Returns undefined if it is malformed or not a calendar date. */
export function parseDateTime(text: string): number | undefined {
  const [, date, time, , zone] = DATE_TIME.exec(text) ?? [];
  const ms = Date.parse(text);
  if (date === undefined || Number.isNaN(ms)) return undefined;
  // Date.parse turns February 30 into March 1 or 2.
  const asUtc = Date.parse(`${date}T${time}Z`);
  const isRealDay = new Date(asUtc).toISOString().startsWith(`${date}T`);
  return zone !== undefined && isRealDay ? ms : undefined;
}

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
const MINUTE = 60_000;
const DAY = 86_400_000;

/**
 * Formats a time for people, with its distance from `now`: `at 14:05 UTC, in 23 minutes` on the same day, otherwise
 * `on 30 December at 00:44 UTC, in 29 days`. Future times are rounded up to whole minutes, so that a promised time is never too early;
 * past times are rounded down.
 */
export function formatMoment(ms: number, now: number): string {
  const minute = (ms > now ? Math.ceil(ms / MINUTE) : Math.floor(ms / MINUTE)) * MINUTE;
  const date = new Date(minute);
  const time = `at ${date.toISOString().slice(11, 16)} UTC`;
  const distance = formatDistance(ms - now);
  if (Math.floor(minute / DAY) === Math.floor(now / DAY)) return `${time}, ${distance}`;
  const year = date.getUTCFullYear() === new Date(now).getUTCFullYear() ? '' : ` ${date.getUTCFullYear()}`;
  return `on ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}${year} ${time}, ${distance}`;
}

function formatDistance(ms: number): string {
  const text = formatLength(Math.abs(ms));
  return ms > 0 ? `in ${text}` : `${text} ago`;
}

/** Formats a length of time in the largest unit of which it has at least two, else in seconds: `29 days`, `90 minutes`, `80 seconds`. */
export function formatLength(ms: number): string {
  for (const [unit, name] of [
    [DAY, 'day'],
    [60 * MINUTE, 'hour'],
    [MINUTE, 'minute'],
  ] as const) {
    if (ms >= 2 * unit) return `${Math.round(ms / unit)} ${name}s`;
  }
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  return `${seconds} ${seconds === 1 ? 'second' : 'seconds'}`;
}
