/** Returns the current time in whole milliseconds since 1970. Tests inject their own clock. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

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
