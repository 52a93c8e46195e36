import type { HookFormat, HookProgram } from '../hook-message.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  listAt,
  requirePayloadObject,
  textAt,
  toOneLine,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../styling.ts';

const MAX_LISTED = 10;

/** Verbs for the values of `eventType`. */
const EVENTS: Readonly<Record<string, string>> = {
  Grab: 'grabbed',
  Download: 'downloaded',
  ImportComplete: 'imported',
  Rename: 'renamed files of',
  SeriesAdd: 'added',
  SeriesDelete: 'deleted',
  EpisodeFileDelete: 'deleted the file of',
  MovieAdded: 'added',
  MovieDelete: 'deleted',
  MovieFileDelete: 'deleted the file of',
  ManualInteractionRequired: 'needs your help with',
  Test: 'sent a test:',
};

const parse: HookFormat = ({ payload }, { resolved }) => {
  const event = requirePayloadObject(payload, 'Sonarr or Radarr');
  const type = lineAt(event, 'eventType');
  if (resolved === 'hide' && type === 'HealthRestored') return undefined;
  const source = bold(`[${firstNonEmpty(lineAt(event, 'instanceName'), programOf(event))}]`);
  return { text: joinLines(...prefix(source, formatEvent(event, type))), images: [] };
};

/** Webhooks of Sonarr, Radarr and the programs that share their code. */
export const servarr: HookProgram = {
  parse,
  recognizes: ({ payload }) =>
    hasFields(payload, 'eventType') &&
    ['series', 'movie', 'artist', 'author', 'instanceName', 'applicationUrl', 'wikiUrl', 'newVersion'].some(
      (name) => hasFields(payload, name),
    ),
};

function prefix(source: string, [first = '', ...rest]: readonly string[]): string[] {
  return [`${source} ${first}`, ...rest];
}

function programOf(event: object): string {
  return hasFields(event, 'movie') ? 'Radarr' : 'Sonarr';
}

function formatEvent(event: object, type: string): string[] {
  if (type === 'Health' || type === 'HealthRestored') return formatHealth(event, type);
  if (type === 'ApplicationUpdate') {
    const versions = `${lineAt(event, 'previousVersion')} to ${lineAt(event, 'newVersion')}`;
    return [escapeStyling(`updated from ${versions}`)];
  }
  const isUpgrade = type === 'Download' && valueAt(event, 'isUpgrade') === true;
  const known = Object.hasOwn(EVENTS, type) ? EVENTS[type] : `${type}:`;
  const verb = isUpgrade ? 'upgraded' : known;
  return [
    escapeStyling(toOneLine(`${verb} ${titleOf(event)}`)),
    ...formatParts(event),
    escapeStyling(formatRelease(event)),
    ...listAt(event, 'downloadStatusMessages').slice(0, MAX_LISTED).flatMap(formatStatusMessage),
    escapeStyling(reasonOf(event)),
  ];
}

function formatHealth(event: object, type: string): string[] {
  const level = type === 'HealthRestored' ? 'solved' : firstNonEmpty(lineAt(event, 'level'), 'problem');
  return [`${escapeStyling(level)}: ${escapeStyling(textAt(event, 'message'))}`, linkAt(event, 'wikiUrl')];
}

/** Works of Sonarr and Radarr, and of Lidarr and Readarr. */
const WORKS = ['series', 'movie', 'remoteMovie', 'album', 'book'];
const CREATORS = ['artist', 'author'];

/** `The Title (2019)` */
function titleOf(event: object): string {
  const work = WORKS.map((key) => valueAt(event, key)).find((found) => lineAt(found, 'title') !== '');
  const creator = CREATORS.map((key) => lineAt(event, key, 'name')).find((name) => name !== '') ?? '';
  const title = firstNonEmpty(lineAt(work, 'title'), creator, 'an item without a title');
  const year = lineAt(work, 'year');
  return year === '' || year === '0' || title.includes(year) ? title : `${title} (${year})`;
}

/** `- S02E14 The Title` */
function formatParts(event: object): string[] {
  const parts = ['episodes', 'albums', 'books'].flatMap((key) => listAt(event, key));
  const shown = parts
    .slice(0, MAX_LISTED)
    .map((part) => `- ${escapeStyling(toOneLine(`${numberOf(part)} ${lineAt(part, 'title')}`))}`);
  return parts.length > shown.length ? [...shown, `… and ${parts.length - shown.length} more`] : shown;
}

function numberOf(part: unknown): string {
  const [season, episode] = [lineAt(part, 'seasonNumber'), lineAt(part, 'episodeNumber')];
  return episode === '' ? '' : `S${season.padStart(2, '0')}E${episode.padStart(2, '0')}`;
}

/** Quality, size and origin of a found or stored file. */
function formatRelease(event: object): string {
  const quality = [
    lineAt(event, 'release', 'quality'),
    lineAt(event, 'episodeFile', 'quality'),
    lineAt(event, 'movieFile', 'quality'),
  ];
  const client = lineAt(event, 'downloadClient');
  return [firstNonEmpty(...quality), lineAt(event, 'release', 'indexer'), client === '' ? '' : `by ${client}`]
    .filter((part) => part !== '')
    .join(', ');
}

function formatStatusMessage(status: unknown): string[] {
  const messages = listAt(status, 'messages').slice(0, MAX_LISTED);
  return [lineAt(status, 'title'), ...messages.map((message) => lineAt({ message }, 'message'))]
    .filter((line) => line !== '')
    .map(escapeStyling);
}

function reasonOf(event: object): string {
  const reason = lineAt(event, 'deleteReason');
  if (reason !== '') return `reason: ${reason}`;
  return valueAt(event, 'deletedFiles') === true ? 'with its files' : '';
}
