import { availableParallelism } from 'node:os';
import { RE2JS } from 're2js';
import { isLoopbackHost } from '../../base/addresses.ts';
import type { ConfigOptions } from '../schema/config-schema.ts';
import { namedDomains } from '../user-domains.ts';
import { accessWarnings, unanchoredWarnings } from './access-checks.ts';

/** Returns warnings about valid but suspicious options, as sentences for the log and `porter check`. */
export function findWarnings(settings: ConfigOptions): string[] {
  return [
    ...workerWarnings(settings),
    ...poolerWarnings(settings),
    ...accessWarnings(settings),
    ...componentWarnings(settings),
    ...urlWarnings(settings),
    ...slotApiWarnings(settings),
    ...inlineTypeWarnings(settings),
    ...messageWarnings(settings),
    ...secretWarnings(settings),
    ...scanWarnings(settings),
  ];
}

/** More processes per core than this need memory and are not faster. */
const WORKERS_PER_CORE = 4;

function workerWarnings({ workers }: ConfigOptions): string[] {
  const cores = availableParallelism();
  if (workers <= Math.max(8, cores * WORKERS_PER_CORE)) return [];
  return [
    `workers: ${workers} processes on a machine with ${cores} CPU ${cores === 1 ? 'core' : 'cores'} need much memory and ` +
      'are not faster. Write auto for one per core.',
  ];
}

const PGBOUNCER_PORT = '6432';

/** Warns about a connection pooler, which without a connection only the port shows. The server checks the pool mode when it starts. */
function poolerWarnings({ storage: { ledger } }: ConfigOptions): string[] {
  if (ledger.kind !== 'postgres' || !URL.canParse(ledger.url)) return [];
  if (new URL(ledger.url).port !== PGBOUNCER_PORT) return [];
  return [
    'storage.ledger: port 6432 is that of PgBouncer. Connect to PostgreSQL directly (port 5432), or set pool_mode = session.',
  ];
}

/** Warns about components with a domain of users. The XMPP server would send the stanzas for these users to Porter. */
function componentWarnings({ component, access }: ConfigOptions): string[] {
  const named = namedDomains(access);
  // A rule for a single account at the component does not count: it is for a sender of messages.
  return component
    .filter(({ jid }) => named.includes(jid) && findRule(access, `someone@${jid}`) !== undefined)
    .map(
      ({ jid }) =>
        `component ${jid}: access names ${jid} as a domain of users. A component needs another name, or contacts, carbons and ` +
        `archives of these users break. Use upload.${jid}.`,
    );
}

function urlWarnings({ public_url, download_url, component }: ConfigOptions): string[] {
  const urls: readonly (readonly [key: string, url: string | null])[] = [
    ['public_url', public_url],
    ['download_url', download_url],
    ...component.flatMap(({ jid, ...own }) => [
      [`public_url of component ${jid}`, own.public_url] as const,
      [`download_url of component ${jid}`, own.download_url] as const,
    ]),
  ];
  return urls.flatMap(([key, url]) =>
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

const RANGES_WITH_PDF = ['application/pdf', 'application/*', '*/*'];

/** The default of `MaxThreads` in clamd.conf. */
const CLAMD_THREADS = 10;

function scanWarnings({ uploads: { scan }, workers, downloads }: ConfigOptions): string[] {
  if (scan === null) return [];
  const scans = scan.connections * workers;
  const isRemote = 'host' in scan.clamd && !isLoopbackHost(scan.clamd.host);
  return [
    ...(isRemote
      ? [
          'uploads.scan.clamd: files are sent to another machine unencrypted. Use clamd on this machine, or a trusted network.',
        ]
      : []),
    ...(scans > CLAMD_THREADS
      ? [
          `uploads.scan.connections: ${scans} scans at a time with all workers. Set MaxThreads ${scans} or more in clamd.conf.`,
        ]
      : []),
    ...(downloads.via === 'webserver' && (scan.quarantine ?? 0) > 0
      ? ['uploads.scan.quarantine: infected files are deleted at once, because downloads.via is webserver.']
      : []),
  ];
}

/**
 * Warns about PDF in `inline_types`. Browsers show files in a sandbox, where Safari has no viewer for PDF
 * (https://github.com/adobe/aem-core-wcm-components/issues/2839).
 */
function inlineTypeWarnings({ downloads }: ConfigOptions): string[] {
  const range = downloads.inline_types.find((type) => RANGES_WITH_PDF.includes(type));
  if (range === undefined) return [];
  return [
    `downloads.inline_types has ${range}: Safari shows a blank page for a PDF, because files run in a sandbox. Leave PDF out, so that ` +
      'every browser saves it.',
  ];
}

/** Returns warnings about message options that have no effect or give access to accounts of other servers. */
function messageWarnings(settings: ConfigOptions): string[] {
  return [
    ...callbackWarnings(settings),
    ...accountWarnings(settings),
    ...patternWarnings(settings),
    ...senderWarnings(settings),
    ...hookWarnings(settings),
  ];
}

/** Warns about senders that may not upload: images of a hook and files of a token are stored as uploads of `from`. */
function senderWarnings({ access, messages }: ConfigOptions): string[] {
  if (messages === null || access.length === 0) return [];
  const text = (key: string, from: string, files: string) =>
    `${key}: ${from} may not upload, so ${files} is refused. Add a rule for it to access, such as {jid: '${jidPattern(from)}'}`;
  return [
    ...messages.hooks.flatMap(({ from, images_from }, index) =>
      images_from.length === 0 || findRule(access, from)?.deny === false
        ? []
        : [`${text(`messages.hooks[${index}]`, from, 'every image of this hook')}.`],
    ),
    // A token may be for texts only. A rule that denies the sender turns the warning off.
    ...messages.tokens.flatMap(({ from }, index) =>
      findRule(access, from) !== undefined
        ? []
        : [
            `${text(`messages.tokens[${index}]`, from, 'every file that is sent with this token')}, or one with deny: true for texts only.`,
          ],
    ),
  ];
}

/** Formats that can be used with `signature_secret`: payloads in these formats come from programs that sign requests. */
const SIGNED_FORMATS = [
  'auto',
  'github',
  'gitea',
  'forgejo',
  'gitlab',
  'grafana',
  'sentry',
  'slack',
  'generic',
];

/** Returns warnings about options of hooks that have no effect or refuse everything. */
function hookWarnings({ messages }: ConfigOptions): string[] {
  return (messages?.hooks ?? []).flatMap(({ format, signature_secret, fields }, index) => {
    const key = `messages.hooks[${index}]`;
    const namesFields = Object.values(fields).some((path) => path !== null);
    return [
      ...(signature_secret !== null && !SIGNED_FORMATS.includes(format)
        ? [
            `${key}.signature_secret: programs with the format ${format} do not sign requests, so all are refused. Leave it out.`,
          ]
        : []),
      ...(namesFields && format !== 'generic' && format !== 'auto'
        ? [`${key}.fields has no effect with format ${format}: set format: generic.`]
        : []),
    ];
  });
}

function findRule(access: ConfigOptions['access'], jid: string): ConfigOptions['access'][number] | undefined {
  return access.find((one) => one.jid.some((text) => RE2JS.compile(text).matcher(jid).find()));
}

const jidPattern = (jid: string): string => `^${jid.replaceAll(/[.+*?^$(){}|[\]\\]/g, '\\$&')}$`;

function patternWarnings({ messages }: ConfigOptions): string[] {
  if (messages === null) return [];
  return [
    ...unanchoredWarnings('messages.accounts', messages.accounts ?? []),
    ...messages.tokens.flatMap(({ to }, index) => unanchoredWarnings(`messages.tokens[${index}].to`, to)),
  ];
}

function callbackWarnings({ component, messages }: ConfigOptions): string[] {
  return messages?.callback_url && component.length === 0
    ? ['messages.callback_url has no effect without a component: only components receive stanzas.']
    : [];
}

/** Returns true if a pattern matches accounts of any domain. */
function matchesAnyDomain(text: string): boolean {
  return RE2JS.compile(text).matcher('someone@no-such-domain.invalid').find();
}

function accountWarnings({ access, component, messages }: ConfigOptions): string[] {
  if (messages === null) return [];
  const { accounts, server } = messages;
  const list = 'Set messages.accounts, for example to @example\\.org$';
  if (accounts === null) {
    const allowed = access.filter(({ deny }) => !deny).flatMap(({ jid }) => jid);
    const namesNoDomain = component.length === 0 && allowed.every(matchesAnyDomain);
    return namesNoDomain
      ? [`messages: no account may log in, because neither component nor access names a domain. ${list}.`]
      : [];
  }
  return server === null && accounts.some(matchesAnyDomain)
    ? [
        'messages.accounts matches all JIDs: accounts of every XMPP server on the internet can log in and send ' +
          `through this server. ${list}.`,
      ]
    : [];
}

/** Shorter secrets can be guessed. */
const MIN_SECRET_LENGTH = 16;

/** Returns warnings about secrets that can be guessed. */
function secretWarnings(settings: ConfigOptions): string[] {
  return secretsOf(settings)
    .filter(([, secret]) => secret.length < MIN_SECRET_LENGTH)
    .map(
      ([key]) =>
        `${key} is shorter than ${MIN_SECRET_LENGTH} characters: use a longer one, because a short secret can be guessed.`,
    );
}

function secretsOf(settings: ConfigOptions): [string, string][] {
  const { component, slot_api, external, file_share, messages, web } = settings;
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
    ['web.token', web?.token],
  ];
  return found.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}
