import { RE2JS } from 're2js';
import { isLoopbackHost } from '../base/addresses.ts';
import type { ConfigProblem } from './config-error.ts';
import { checkMessageOptions } from './message-option-checks.ts';
import { findKeyLine } from './parse-yaml.ts';
import type { ConfigOptions } from './schema/config-schema.ts';

type Lines = Readonly<Record<string, number>>;
type Section = Readonly<Record<string, unknown>>;

/** Paths that Porter always uses: uploads and downloads of slots, and the health endpoints. */
export const RESERVED_PATHS = ['/put/', '/files/', '/healthz', '/readyz'] as const;

function sectionOf(value: unknown): Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Section) : {};
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/**
 * Checks which options must be given together. Works on the raw values of the file, so that these problems are
 * reported together with those of the schema.
 */
export function checkRawOptions(value: unknown, lines: Lines): ConfigProblem[] {
  const file = sectionOf(value);
  const problems: ConfigProblem[] = [];
  const complain = (key: string, message: string, hint?: string) =>
    problems.push({ line: findKeyLine(lines, key), key, message, ...(hint !== undefined && { hint }) });

  if (listOf(file.component).length > 0 && file.public_url === undefined) {
    complain('component', 'needs public_url, which clients upload to', 'add public_url');
  }
  if (sectionOf(file.downloads).via === 'webserver' && file.download_url === undefined) {
    complain('downloads.via', 'webserver needs download_url, which the links point to');
  }
  checkDelivery(sectionOf(file.downloads), complain);
  const { admin } = file;
  if (admin !== undefined && listOf(sectionOf(admin).jids).length === 0 && !hasSecret(admin, 'token')) {
    complain('admin', 'needs jids or a token, so that an admin can sign in');
  }
  checkPrefixes(sectionOf(file.retention), complain);
  return problems;
}

function checkDelivery({ via, internal_prefix }: Section, complain: Complain): void {
  if (internal_prefix === undefined || via === 'x-accel-redirect' || via === 'x-sendfile') return;
  complain('downloads.internal_prefix', 'only x-accel-redirect and x-sendfile use it');
}

function hasSecret(section: unknown, key: string): boolean {
  return sectionOf(section)[key] !== undefined;
}

type Complain = (key: string, message: string, hint?: string) => void;

function checkPrefixes(retention: Section, complain: Complain): void {
  const offered = Object.keys(sectionOf(retention.purposes));
  for (const [prefix, purpose] of Object.entries(sectionOf(retention.name_prefixes))) {
    // `message` is the purpose of all files without one, so it is always available.
    if (purpose === 'message' || typeof purpose !== 'string' || offered.includes(purpose)) continue;
    complain(
      `retention.name_prefixes.${prefix}`,
      `the purpose ${purpose} is not offered`,
      `add it to retention.purposes`,
    );
  }
}

/** Checks the parsed options against each other. */
export function checkOptions(settings: ConfigOptions, lines: Lines): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const complain: Complain = (key, message, hint) =>
    problems.push({ line: findKeyLine(lines, key), key, message, ...(hint !== undefined && { hint }) });
  for (const [place, text] of repeated(settings.listen.map(addressText))) {
    complain(`listen[${place}]`, `${text} is listed twice`);
  }
  for (const [place, jid] of repeated(settings.component.map((one) => one.jid))) {
    complain(`component[${place}].jid`, `another component has the JID ${jid} too`);
  }
  checkPaths(settings, complain);
  checkMessageOptions(settings, complain);
  checkSender(settings, complain);
  settings.access.forEach((rule, place) => {
    const limited = rule.max_file_size ?? rule.max_total_size ?? rule.bytes_per ?? rule.uploads_per;
    if (rule.deny && limited !== null)
      complain(`access[${place}].deny`, 'a rule with deny cannot have limits; remove them');
  });
  return problems;
}

/** Checks that the sender of the files can read them. */
function checkSender({ downloads: { via }, storage: { blobs } }: ConfigOptions, complain: Complain): void {
  if (via === 'presigned' && blobs.kind !== 's3') {
    const hint = 'set storage.blobs to an s3:// URL, or leave downloads.via out';
    complain('downloads.via', 'presigned needs the blobs on S3', hint);
  } else if (via !== 'self' && via !== 'presigned' && blobs.kind !== 'folder') {
    const hint = 'presigned lets S3 send the files itself';
    complain('downloads.via', `${via} needs the blobs in a folder that the web server reads`, hint);
  }
}

function addressText(address: ConfigOptions['listen'][number]): string {
  if ('path' in address) return address.path;
  // Port 0 means any free port, so two of them do not collide.
  return address.port === 0 ? '' : `${address.host ?? '*'}:${address.port}`;
}

function repeated(texts: readonly string[]): [number, string][] {
  return [...texts.entries()].filter(([place, text]) => text !== '' && texts.indexOf(text) < place);
}

function checkPaths(settings: ConfigOptions, complain: Complain): void {
  const taken: [string, string][] = RESERVED_PATHS.map((path) => ['Porter itself', path]);
  for (const [key, path] of endpointPaths(settings)) {
    const clash = taken.find(([, other]) => overlap(path, other));
    if (clash) complain(key, `${path} and ${clash[1]} of ${clash[0]} overlap`);
    taken.push([key, path]);
  }
}

function endpointPaths(settings: ConfigOptions): [string, string][] {
  const { slot_api, external, file_share, messages, admin, metrics } = settings;
  return [
    ['metrics.path', metrics.path],
    ['slot_api.path', slot_api?.path],
    ['external.path', external?.path],
    ['file_share.path', file_share?.path],
    ['messages.path', messages?.path],
    ['messages.rest_path', messages?.rest_path],
    ['admin.path', admin?.path],
  ].filter((entry): entry is [string, string] => entry[1] !== undefined);
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => (path.endsWith('/') ? path : `${path}/`)) as [string, string];
  return a.startsWith(b) || b.startsWith(a);
}

const SHORT_SECRET = 16;

/** Returns warnings about valid but suspicious options, as sentences for the log and `porter check`. */
export function findWarnings(settings: ConfigOptions): string[] {
  return [
    ...accessWarnings(settings),
    ...urlWarnings(settings),
    ...slotApiWarnings(settings),
    ...callbackWarnings(settings),
    ...accountWarnings(settings),
    ...secretsOf(settings)
      .filter(([, secret]) => secret.length < SHORT_SECRET)
      .map(
        ([key]) =>
          `${key} is shorter than ${SHORT_SECRET} characters: use a longer one, because a short secret can be guessed.`,
      ),
  ];
}

function accessWarnings({ access }: ConfigOptions): string[] {
  if (access.length === 0) return ['No access rules: all uploads are denied. Add an `access` list.'];
  const warnings: string[] = [];
  const all = access.findIndex((rule) => rule.jid.some(matchesEverybody));
  if (all >= 0 && all < access.length - 1) {
    warnings.push(`access[${all}] matches all JIDs: the rules after it have no effect.`);
  }
  access.forEach((rule, place) => {
    for (const text of rule.jid.filter(neverLowerCase)) {
      warnings.push(`access[${place}]: ${text} has capitals, but JIDs are compared in lower case.`);
    }
  });
  return warnings;
}

// A pattern found in the empty text is found in every text, unless it is anchored at the end.
function matchesEverybody(text: string): boolean {
  return !text.endsWith('$') ? RE2JS.compile(text).matcher('').find() : /^\^?\.\*\$$/.test(text);
}

function neverLowerCase(text: string): boolean {
  return (
    /[A-Z]/.test(text.replace(/\\(?:p\{[^}]*\}|p.|.)/gi, '').replace(/\[:\^?\w+:\]/g, '')) &&
    !text.includes('(?i')
  );
}

function urlWarnings({ public_url, download_url }: ConfigOptions): string[] {
  return [
    ['public_url', public_url],
    ['download_url', download_url],
  ].flatMap(([key, url]) =>
    url?.startsWith('http:') && !isLoopbackHost(new URL(url).hostname)
      ? [`${key} is http: files and links are sent unencrypted, and many clients refuse that. Use https.`]
      : [],
  );
}

function slotApiWarnings({ slot_api }: ConfigOptions): string[] {
  const open = slot_api?.token === null && slot_api.allow_from.some((range) => range.endsWith('/0'));
  return open
    ? [
        'slot_api accepts requests from all addresses without a token, so anyone can upload as any user. Set slot_api.token or restrict allow_from.',
      ]
    : [];
}

function callbackWarnings({ component, messages }: ConfigOptions): string[] {
  return messages?.callback_url && component.length === 0
    ? ['messages.callback_url has no effect without a component: only components receive stanzas.']
    : [];
}

/** Returns true if a pattern matches accounts of an arbitrary domain. */
function matchesStrangers(text: string): boolean {
  return RE2JS.compile(text).matcher('someone@no-such-domain.invalid').find();
}

function accountWarnings({ access, component, messages }: ConfigOptions): string[] {
  if (messages === null) return [];
  const { accounts, server } = messages;
  const list = 'Set messages.accounts, for example to @example\\.org$';
  if (accounts === null) {
    const allowed = access.filter(({ deny }) => !deny).flatMap(({ jid }) => jid);
    const namesNoDomain = component.length === 0 && allowed.every(matchesStrangers);
    return namesNoDomain
      ? [`messages: no account may log in, because neither component nor access names a domain. ${list}.`]
      : [];
  }
  return server === null && accounts.some(matchesStrangers)
    ? [
        'messages.accounts matches all JIDs: accounts of every XMPP server on the internet can log in and send ' +
          `through this server. ${list}.`,
      ]
    : [];
}

function secretsOf(settings: ConfigOptions): [string, string][] {
  const { component, slot_api, external, file_share, messages, admin } = settings;
  const found: [string, string | null | undefined][] = [
    ...component.map((one): [string, string] => [`the secret of component ${one.jid}`, one.secret]),
    ['slot_api.token', slot_api?.token],
    ...(external?.secret ?? []).map((secret): [string, string] => ['external.secret', secret]),
    ['external.delete_secret', external?.delete_secret],
    ...(file_share?.secret ?? []).map((secret): [string, string] => ['file_share.secret', secret]),
    ...(messages?.tokens ?? []).map((one): [string, string] => ['messages.tokens[].token', one.token]),
    ...(messages?.hooks ?? []).flatMap(({ name, token, signature_secret }): [string, string | null][] => [
      [`the token of hook ${name}`, token],
      [`the signature_secret of hook ${name}`, signature_secret],
    ]),
    ['messages.callback.secret', messages?.callback.secret],
    ['admin.token', admin?.token],
  ];
  return found.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}
