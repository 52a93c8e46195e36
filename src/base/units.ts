/** Single letters are binary, as for nginx, systemd and `dd`. */
const SIZE_UNITS = unitTable([
  ['b byte bytes', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['k kib', 2 ** 10],
  ['m mib', 2 ** 20],
  ['g gib', 2 ** 30],
  ['t tib', 2 ** 40],
]);

const PERIOD_UNITS = unitTable([
  ['ms millisecond milliseconds', 1],
  ['s sec secs second seconds', 1e3],
  ['m min mins minute minutes', 60e3],
  ['h hr hrs hour hours', 3600e3],
  ['d day days', 86400e3],
  ['w week weeks', 7 * 86400e3],
]);

function unitTable(rows: readonly (readonly [names: string, factor: number])[]): ReadonlyMap<string, number> {
  return new Map(rows.flatMap(([names, factor]) => names.split(' ').map((name) => [name, factor] as const)));
}

/** Parses `512 KiB`, `10 MB`, `100M` or plain bytes to whole bytes. Returns undefined if it is malformed. */
export function parseSize(text: string | number): number | undefined {
  return parse(text, SIZE_UNITS, 'b');
}

/**
 * Parses `90s`, `15 min`, `1 hour` or `30d` to whole milliseconds. Returns undefined if it is malformed. A number without a
 * unit is malformed too, except 0, because `--max-age 30` could mean days or seconds.
 */
export function parsePeriod(text: string | number): number | undefined {
  return isBareNumber(text) && Number(text) !== 0 ? undefined : parse(text, PERIOD_UNITS, 's');
}

/** Returns an error text for a period without a unit, with corrections. Undefined for any other text. */
export function describeMissingUnit(text: string | number): string | undefined {
  const number = String(text).trim();
  if (!isBareNumber(text)) return undefined;
  return `${number} has no unit: write ${number}d, ${number} min or ${number}s`;
}

function isBareNumber(text: string | number): boolean {
  return /^\d+(?:\.\d+)?$/.test(String(text).trim());
}

function parse(text: string | number, units: ReadonlyMap<string, number>, plain: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(text).trim());
  if (!match) return undefined;
  const unit = units.get((match[2] || plain).toLowerCase());
  if (unit === undefined) return undefined;
  const value = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Formats bytes for people: `1.5 GiB`. Whole multiples are exact. */
export function formatSize(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < units.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 ? value : Number(value.toFixed(1))} ${value === 1 && step === 0 ? 'byte' : units[step]}`;
}

/** Formats a number with its noun: `1 file`, `2 files`. `plural` is needed only if it is not the noun with an s. */
export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Formats a period for `in the last …`: `hour`, `day`, otherwise as `formatPeriod`. */
export function formatSpan(ms: number): string {
  const names = new Map([
    [60e3, 'minute'],
    [3600e3, 'hour'],
    [86400e3, 'day'],
  ]);
  return names.get(ms) ?? formatPeriod(ms);
}

/** Formats milliseconds for people, in at most the two largest units: `2 h 5 min`, `40 s`. */
export function formatPeriod(ms: number): string {
  let rest = Math.ceil(ms / 1000);
  const parts: string[] = [];
  for (const [seconds, name] of [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}`);
  }
  return parts.join(' ') || '0 s';
}
