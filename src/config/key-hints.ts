import { distance } from 'fastest-levenshtein';

/** Returns the number of letters to add, drop or change to turn one word into the other. A swap of neighbours is 1. */
export function editDistance(from: string, to: string): number {
  return isSwapOfNeighbours(from, to) ? 1 : distance(from, to);
}

function isSwapOfNeighbours(from: string, to: string): boolean {
  const first = [...from].findIndex((letter, index) => letter !== to[index]);
  const [one, other] = from.slice(first, first + 2);
  return first >= 0 && from.slice(0, first) + other + one + from.slice(first + 2) === to;
}

/** Returns the known word that was probably meant, or undefined if none is similar enough. */
export function closestWord(word: string, known: readonly string[]): string | undefined {
  const given = plain(word);
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(given, plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  const allowed = Math.max(1, Math.floor(Math.max(given.length, best?.candidate.length ?? 0) / 3));
  return best && best.distance <= allowed ? best.candidate : undefined;
}

// `maxFileSize`, `max-file-size` and `max_file_size` count as the same word.
function plain(word: string): string {
  return word
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}

/** Options of Porter by the names that they have in the services that Porter replaces. */
const OTHER_SERVICES: Readonly<Record<string, string>> = {
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

/** Returns a hint for an unknown key: a similar key of the section, or the section of the key. Undefined if there is none. */
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
  const renamed = Object.hasOwn(OTHER_SERVICES, key) ? OTHER_SERVICES[key] : undefined;
  if (renamed !== undefined) return `in Porter it is ${renamed}`;
  return here.length <= 12 ? `valid keys: ${here.join(', ')}` : undefined;
}
