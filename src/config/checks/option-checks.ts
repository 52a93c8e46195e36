import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ConfigProblem } from '../config-error.ts';
import { fileErrorReason } from '../environment-and-secrets.ts';
import type { ConfigOptions } from '../schema/config-schema.ts';
import { checkAccess } from './access-checks.ts';
import { type Complain, complainTo, type Lines } from './complain.ts';
import { checkHosting } from './hosting-checks.ts';
import { checkMessageOptions } from './message-checks.ts';

/** Paths that Porter always uses: uploads and downloads of slots, and the health endpoints. */
export const RESERVED_PATHS = ['/put/', '/files/', '/healthz', '/readyz'] as const;

type SectionName = keyof ConfigOptions;
type Check = (settings: ConfigOptions, complain: Complain) => void;

/** Checks that compare several options, each with the sections that it reads. */
const CHECKS: readonly (readonly [readonly SectionName[], Check])[] = [
  [['listen'], checkListen],
  [['component'], checkComponents],
  [['slot_api', 'external', 'file_share', 'messages', 'web', 'metrics'], checkPaths],
  [['messages', 'component'], checkMessageOptions],
  [['downloads', 'storage'], checkSender],
  [['access'], checkAccess],
  [['access', 'component'], checkHosting],
];

/**
 * Checks the parsed options against each other. `isValid` returns false for a section that is not valid. Checks that read such a
 * section are skipped, so that one mistake is reported once.
 */
export function checkOptions(
  settings: ConfigOptions,
  lines: Lines,
  isValid: (section: string) => boolean = () => true,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const complain = complainTo(problems, lines);
  for (const [sections, check] of CHECKS) if (sections.every(isValid)) check(settings, complain);
  return problems;
}

function checkListen({ listen }: ConfigOptions, complain: Complain): void {
  for (const [index, text] of repeated(listen.map(addressText))) {
    complain(`listen[${index}]`, `${text} is listed twice`);
  }
}

function checkComponents({ component }: ConfigOptions, complain: Complain): void {
  for (const [index, jid] of repeated(component.map((one) => one.jid))) {
    complain(`component[${index}].jid`, `another component has the JID ${jid} too`);
  }
}

/** Checks that the server of the files (`downloads.via`) can read them. */
function checkSender({ downloads: { via }, storage: { blobs } }: ConfigOptions, complain: Complain): void {
  if (via === 'presigned' && blobs.kind !== 's3') {
    const hint = 'set storage.blobs to an s3:// URL, or leave downloads.via out';
    complain('downloads.via', 'presigned needs the blobs on S3', hint);
  } else if (via !== 'self' && via !== 'presigned' && blobs.kind !== 'folder') {
    const hint = 'with files on S3, use presigned';
    complain('downloads.via', `${via} needs the blobs in a folder that the web server reads`, hint);
  }
}

function addressText(address: ConfigOptions['listen'][number]): string {
  if ('path' in address) return address.path;
  // Port 0 means any free port, so two of them do not collide.
  return address.port === 0 ? '' : `${address.host ?? '*'}:${address.port}`;
}

function repeated(texts: readonly string[]): [number, string][] {
  return [...texts.entries()].filter(([index, text]) => text !== '' && texts.indexOf(text) < index);
}

/** Checks that no path of an endpoint is equal to the path of another endpoint or below it. */
function checkPaths(settings: ConfigOptions, complain: Complain): void {
  const taken: [string, string][] = RESERVED_PATHS.map((path) => ['Porter itself', path]);
  for (const [key, path] of endpointPaths(settings)) {
    const clash = taken.find(([, other]) => overlap(path, other));
    if (clash) complain(key, `${path} and ${clash[1]} of ${clash[0]} overlap`, 'choose another path');
    taken.push([key, path]);
  }
}

function endpointPaths(settings: ConfigOptions): [string, string][] {
  const { slot_api, external, file_share, messages, web, metrics } = settings;
  return [
    ['metrics.path', metrics.path],
    ['slot_api.path', slot_api?.path],
    ['external.path', external?.path],
    ['file_share.path', file_share?.path],
    ['messages.path', messages?.path],
    ['messages.rest_path', messages?.rest_path],
    ['messages.share_path', messages?.share_path],
    ['web.path', web?.path],
  ].filter((entry): entry is [string, string] => entry[1] !== undefined);
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => (path.endsWith('/') ? path : `${path}/`)) as [string, string];
  return a.startsWith(b) || b.startsWith(a);
}

/** Loads the certificate and the key (absolute paths) as the server does. Returns the problems that would stop its start. */
export function findTlsProblems(tls: ConfigOptions['tls'], lines: Lines): ConfigProblem[] {
  if (!tls) return [];
  const problems: ConfigProblem[] = [];
  const complain = complainTo(problems, lines);
  const read = (key: 'cert' | 'key') => {
    try {
      return readFileSync(tls[key]);
    } catch (error) {
      complain(`tls.${key}`, `cannot be read: ${fileErrorReason(error)}`);
      return undefined;
    }
  };
  const [cert, key] = [read('cert'), read('key')];
  if (!cert || !key) return problems;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    complain('tls', `certificate and key cannot be used together: ${reason}`);
  }
  return problems;
}
