/** The time in whole milliseconds since 1970, injected wherever a rule depends on it. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

/** XEP-0082 date-time in UTC, whole seconds, rounded up: a promised moment is never too early. */
export function stamp(ms: number): string {
  return new Date(Math.ceil(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}
