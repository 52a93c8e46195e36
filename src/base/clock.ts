/** The time in whole milliseconds since 1970, injected wherever a rule depends on it. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

/** XEP-0082 date-time in UTC, whole seconds, rounded up: a promised moment is never too early. */
export function formatDateTime(ms: number): string {
  return new Date(Math.ceil(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

const DATE_TIME = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Reads an XEP-0082 date-time, as ms since 1970; undefined where it is none, or a day that no calendar has. */
export function parseDateTime(text: string): number | undefined {
  const [, date, time, , zone] = DATE_TIME.exec(text) ?? [];
  const ms = Date.parse(text);
  if (date === undefined || Number.isNaN(ms)) return undefined;
  // Date.parse makes the 1st of March of the 30th of February.
  const asUtc = Date.parse(`${date}T${time}Z`);
  const isRealDay = new Date(asUtc).toISOString().startsWith(`${date}T`);
  return zone !== undefined && isRealDay ? ms : undefined;
}
