const SIZE_UNITS: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const PERIOD_UNITS: Record<string, number> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
  d: 86400e3,
  w: 7 * 86400e3,
};

/** Parses `512 KiB`, `10 MB` or plain bytes to whole bytes. Returns undefined if it is malformed. */
export function parseSize(text: string | number): number | undefined {
  return parse(text, SIZE_UNITS, 'b');
}

/** Parses `90s`, `15m`, `1h`, `30d` or plain seconds to whole milliseconds. Returns undefined if it is malformed. */
export function parsePeriod(text: string | number): number | undefined {
  return parse(text, PERIOD_UNITS, 's');
}

function parse(text: string | number, units: Record<string, number>, plain: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(text).trim());
  if (!match) return undefined;
  const unit = units[(match[2] || plain).toLowerCase()];
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
