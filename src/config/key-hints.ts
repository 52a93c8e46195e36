/** Letters to add, drop, change or swap with their neighbour to make one word out of the other. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const now = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      now[column] = Math.min(
        at(last, column) + 1,
        at(now, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, column - 2) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = now;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}

/** The known word that was probably meant; undefined where none is near enough to help. */
export function closestWord(word: string, known: readonly string[]): string | undefined {
  const given = plain(word);
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(given, plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  const allowed = Math.max(1, Math.floor(Math.max(given.length, best?.candidate.length ?? 0) / 3));
  return best && best.distance <= allowed ? best.candidate : undefined;
}

// `maxFileSize`, `max-file-size` and `max_file_size` are one word.
function plain(word: string): string {
  return word
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}

/** Options of the services that Porter takes over from, by their names there. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  component_jid: 'component.jid',
  component_secret: 'component.secret',
  component_port: 'component.server',
  whitelist: 'access',
  get_url: 'download_url',
  put_url: 'public_url',
  http_keyfile: 'tls.key',
  http_certfile: 'tls.cert',
  storage_path: 'storage.blobs',
  storedir: 'storage.blobs',
  docroot: 'storage.blobs',
  expire_interval: 'retention.sweep_every',
  expire_maxage: 'retention.max_age',
  user_quota_soft: 'retention.soft_quota',
  user_quota_hard: 'access[].max_total_size',
  bytes_per_timedelta: 'access[].bytes_per',
  uploads_per_timedelta: 'access[].uploads_per',
  max_size: 'access[].max_file_size',
  max_days: 'retention.max_age',
  service_url: 'slot_api.path',
  external_secret: 'external.secret',
};

/** A hint for a key that is not known here: the like word here, or the place where it belongs. */
export function hintFor(
  key: string,
  here: readonly string[],
  everywhere: readonly string[],
): string | undefined {
  const elsewhere = everywhere
    .filter((path) => path.endsWith(`.${key}`))
    .map((path) => path.slice(0, -key.length - 1))
    .sort((one, other) => one.split('.').length - other.split('.').length);
  const near = closestWord(key, here);
  if (near !== undefined) return `did you mean ${near}?`;
  if (elsewhere.length > 0) return `it belongs in ${elsewhere.slice(0, 2).join(' or ')}`;
  const renamed = Object.hasOwn(ELSEWHERE, key) ? ELSEWHERE[key] : undefined;
  if (renamed !== undefined) return `here it is ${renamed}`;
  return here.length <= 12 ? `known here: ${here.join(', ')}` : undefined;
}
