import type { HookFormat, HookProgram, WebhookEvent } from '../../hook-message.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  listAt,
  requirePayloadObject,
  textAt,
  toOneLine,
  truncate,
  valueAt,
} from '../../payload-fields.ts';
import { bold, escapeStyling, joinLines, quote } from '../../styling.ts';
import { formatDiscussion } from './discussions.ts';

/** Further commits of a push are only counted. */
const MAX_COMMITS = 10;
const MAX_BODY = 600;

/** Headers with the name of the event. */
const EVENT_HEADERS = ['x-github-event', 'x-gitea-event', 'x-forgejo-event', 'x-gogs-event'];

function eventNameOf({ header }: WebhookEvent): string | undefined {
  return EVENT_HEADERS.map(header).find((name) => name !== undefined);
}

/** A proxy or script may have removed the header, so the payload determines the event as far as possible. */
const parse: HookFormat = (event) => {
  const { payload } = event;
  const call = requirePayloadObject(payload, 'GitHub, Gitea or Forgejo');
  const text = joinLines(
    bold(`[${getSource(call)}]`),
    ...formatEvent(call, toOneLine(eventNameOf(event) ?? '')),
  ).replace('\n', ' ');
  return { text, images: [] };
};

/** Webhooks of GitHub, and of Gitea and Forgejo, which use the same format. */
export const forge: HookProgram = {
  parse,
  // Gitea also sends the event header with payloads in Slack's format.
  recognizes: (event) =>
    (eventNameOf(event) !== undefined &&
      ['repository', 'sender', 'zen'].some((name) => hasFields(event.payload, name))) ||
    (hasFields(event.payload, 'repository') &&
      (hasFields(event.payload, 'sender') || hasFields(event.payload, 'pusher'))),
};

/** Repository or organization. */
function getSource(call: unknown): string {
  return firstNonEmpty(
    lineAt(call, 'repository', 'full_name'),
    lineAt(call, 'organization', 'login'),
    lineAt(call, 'repository', 'name'),
    'git',
  );
}

/** The user who caused the event. */
function getActor(call: unknown): string {
  return firstNonEmpty(
    lineAt(call, 'sender', 'login'),
    lineAt(call, 'sender', 'username'),
    lineAt(call, 'pusher', 'login'),
    lineAt(call, 'pusher', 'name'),
    'somebody',
  );
}

/** Formats the event without the repository. */
function formatEvent(call: object, event: string): string[] {
  const actor = getActor(call);
  if (event === 'ping' || valueAt(call, 'zen') !== undefined) return ['this hook works'];
  if (valueAt(call, 'commits') !== undefined && valueAt(call, 'ref') !== undefined)
    return formatPushEvent(call, actor);
  if (valueAt(call, 'ref_type') !== undefined) return formatRefEvent(call, event, actor);
  const discussion = formatDiscussion(call, event, actor);
  if (discussion) return discussion;
  if (valueAt(call, 'release') !== undefined) return formatReleaseEvent(call, actor);
  if (valueAt(call, 'forkee') !== undefined) {
    return [
      escapeStyling(`${actor} forked it to ${lineAt(call, 'forkee', 'full_name')}`),
      linkAt(call, 'forkee', 'html_url'),
    ];
  }
  if (valueAt(call, 'workflow_run') !== undefined) return formatRunEvent(valueAt(call, 'workflow_run'));
  if (valueAt(call, 'page') !== undefined || valueAt(call, 'pages') !== undefined)
    return formatWikiEvent(call, actor);
  return formatOtherEvent(call, event, actor);
}

function formatPushEvent(call: unknown, actor: string): string[] {
  const ref = formatRef(call);
  const commits = listAt(call, 'commits');
  if (/^0+$/.test(lineAt(call, 'after')) || valueAt(call, 'deleted') === true)
    return [escapeStyling(`${actor} deleted ${ref}`)];
  const count = Math.max(commits.length, Number(lineAt(call, 'total_commits')) || 0);
  const shown = commits.slice(0, MAX_COMMITS).map(commitLine);
  const how = valueAt(call, 'forced') === true ? 'force-pushed' : 'pushed';
  const subject = count === 0 ? ref : `${count} ${count === 1 ? 'commit' : 'commits'} to ${ref}`;
  return [
    escapeStyling(`${actor} ${how} ${subject}`),
    ...shown,
    count > shown.length && shown.length > 0 ? `… and ${count - shown.length} more` : '',
    firstNonEmpty(linkAt(call, 'compare_url'), linkAt(call, 'compare')),
  ];
}

function commitLine(commit: unknown): string {
  const author = firstNonEmpty(lineAt(commit, 'author', 'username'), lineAt(commit, 'author', 'name'));
  const [subject = ''] = textAt(commit, 'message').split('\n');
  const id = lineAt(commit, 'id').slice(0, 8);
  return `- ${escapeStyling(toOneLine(`${id} ${subject}${author === '' ? '' : ` (${author})`}`))}`;
}

function formatRef(call: unknown): string {
  const ref = lineAt(call, 'ref');
  if (ref.startsWith('refs/tags/')) return `tag ${ref.slice(10)}`;
  return ref.replace(/^refs\/heads\//, '');
}

function formatRefEvent(call: unknown, event: string, actor: string): string[] {
  // Without the header: only the payload of a new ref has a commit or a default branch.
  const isNew =
    event === ''
      ? valueAt(call, 'sha') !== undefined || valueAt(call, 'master_branch') !== undefined
      : event === 'create';
  const name = lineAt(call, 'ref').replace(/^refs\/(?:heads|tags)\//, '');
  return [
    escapeStyling(toOneLine(`${actor} ${isNew ? 'created' : 'deleted'} ${lineAt(call, 'ref_type')} ${name}`)),
  ];
}

function formatReleaseEvent(call: unknown, actor: string): string[] {
  const release = valueAt(call, 'release');
  const name = firstNonEmpty(lineAt(release, 'name'), lineAt(release, 'tag_name'));
  const body = valueAt(call, 'action') === 'deleted' ? '' : truncate(textAt(release, 'body'), MAX_BODY);
  return [
    escapeStyling(`${actor} ${lineAt(call, 'action')} release ${name}`),
    body === '' ? '' : quote(body),
    firstNonEmpty(linkAt(release, 'html_url'), linkAt(release, 'url')),
  ];
}

/** A workflow run of GitHub Actions, or of Gitea since 1.24. */
function formatRunEvent(run: unknown): string[] {
  const outcome = firstNonEmpty(lineAt(run, 'conclusion'), lineAt(run, 'status'));
  const name = firstNonEmpty(lineAt(run, 'name'), lineAt(run, 'display_title'));
  return [
    escapeStyling(`workflow ${name} on ${lineAt(run, 'head_branch')}: ${outcome.replaceAll('_', ' ')}`),
    linkAt(run, 'html_url'),
  ];
}

function formatWikiEvent(call: unknown, actor: string): string[] {
  const pages = listAt(call, 'pages').map((page) => `${lineAt(page, 'action')} ${lineAt(page, 'title')}`);
  const changes = pages.length > 0 ? pages : [`${lineAt(call, 'action')} ${lineAt(call, 'page')}`];
  return [
    escapeStyling(toOneLine(`${actor} ${changes.join(', ')} in the wiki`)),
    escapeStyling(lineAt(call, 'comment')),
  ];
}

function formatOtherEvent(call: unknown, event: string, actor: string): string[] {
  const action = lineAt(call, 'action').replaceAll('_', ' ');
  const name = event.replaceAll('_', ' ');
  const description = name === '' && action === '' ? 'did something' : `${name} ${action}`;
  return [escapeStyling(toOneLine(`${actor}: ${description}`))];
}
