import type { HookFormat } from '../hook-message.ts';
import {
  firstNonEmpty,
  lineAt,
  linkAt,
  listAt,
  requirePayloadObject,
  textAt,
  toOneLine,
  truncate,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines, quote } from '../styling.ts';
import { formatDiscussion } from './git-discussions.ts';

/** Of a push; the rest is counted. */
const MAX_COMMITS = 10;
const MAX_BODY = 600;

/**
 * GitHub's webhooks, and those of Gitea and Forgejo, which have their shape. Which event it is stands in a header; a
 * proxy or a script may have lost it, so that the payload itself decides as far as it can.
 */
export const parseGitEvent: HookFormat = ({ payload, eventName }) => {
  const call = requirePayloadObject(payload, 'GitHub, Gitea or Forgejo');
  const text = joinLines(bold(`[${placeOf(call)}]`), ...tell(call, eventName ?? '')).replace('\n', ' ');
  return { text, images: [] };
};

/** Repository, organisation, or nothing better. */
function placeOf(call: unknown): string {
  return firstNonEmpty(
    lineAt(call, 'repository', 'full_name'),
    lineAt(call, 'organization', 'login'),
    lineAt(call, 'repository', 'name'),
    'git',
  );
}

/** Who did it. */
function actorOf(call: unknown): string {
  return firstNonEmpty(
    lineAt(call, 'sender', 'login'),
    lineAt(call, 'sender', 'username'),
    lineAt(call, 'pusher', 'login'),
    lineAt(call, 'pusher', 'name'),
    'somebody',
  );
}

/** What happened, the first line without its subject's place. */
function tell(call: object, event: string): string[] {
  const actor = actorOf(call);
  if (event === 'ping' || valueAt(call, 'zen') !== undefined) return ['this hook works'];
  if (valueAt(call, 'commits') !== undefined && valueAt(call, 'ref') !== undefined)
    return tellPush(call, actor);
  if (valueAt(call, 'ref_type') !== undefined) return tellRef(call, event, actor);
  const discussion = formatDiscussion(call, event, actor);
  if (discussion) return discussion;
  if (valueAt(call, 'release') !== undefined) return tellRelease(call, actor);
  if (valueAt(call, 'forkee') !== undefined) {
    return [
      escapeStyling(`${actor} forked it to ${lineAt(call, 'forkee', 'full_name')}`),
      linkAt(call, 'forkee', 'html_url'),
    ];
  }
  if (valueAt(call, 'workflow_run') !== undefined) return tellRun(valueAt(call, 'workflow_run'));
  if (valueAt(call, 'page') !== undefined || valueAt(call, 'pages') !== undefined)
    return tellWiki(call, actor);
  return tellOther(call, event, actor);
}

function tellPush(call: unknown, actor: string): string[] {
  const ref = refOf(call);
  const commits = listAt(call, 'commits');
  if (/^0+$/.test(lineAt(call, 'after')) || valueAt(call, 'deleted') === true)
    return [escapeStyling(`${actor} deleted ${ref}`)];
  const count = Math.max(commits.length, Number(lineAt(call, 'total_commits')) || 0);
  const shown = commits.slice(0, MAX_COMMITS).map(commitLine);
  const how = valueAt(call, 'forced') === true ? 'force-pushed' : 'pushed';
  const what = count === 0 ? ref : `${count} ${count === 1 ? 'commit' : 'commits'} to ${ref}`;
  return [
    escapeStyling(`${actor} ${how} ${what}`),
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

function refOf(call: unknown): string {
  const ref = lineAt(call, 'ref');
  if (ref.startsWith('refs/tags/')) return `tag ${ref.slice(10)}`;
  return ref.replace(/^refs\/heads\//, '');
}

function tellRef(call: unknown, event: string, actor: string): string[] {
  // GitHub's and Gitea's own header decides; without it, only a new ref has a commit or a main branch.
  const isNew =
    event === ''
      ? valueAt(call, 'sha') !== undefined || valueAt(call, 'master_branch') !== undefined
      : event === 'create';
  const name = lineAt(call, 'ref').replace(/^refs\/(?:heads|tags)\//, '');
  return [
    escapeStyling(toOneLine(`${actor} ${isNew ? 'created' : 'deleted'} ${lineAt(call, 'ref_type')} ${name}`)),
  ];
}

function tellRelease(call: unknown, actor: string): string[] {
  const release = valueAt(call, 'release');
  const name = firstNonEmpty(lineAt(release, 'name'), lineAt(release, 'tag_name'));
  const body = valueAt(call, 'action') === 'deleted' ? '' : truncate(textAt(release, 'body'), MAX_BODY);
  return [
    escapeStyling(`${actor} ${lineAt(call, 'action')} release ${name}`),
    body === '' ? '' : quote(body),
    firstNonEmpty(linkAt(release, 'html_url'), linkAt(release, 'url')),
  ];
}

/** GitHub Actions, and Gitea's from 1.24 on. */
function tellRun(run: unknown): string[] {
  const outcome = firstNonEmpty(lineAt(run, 'conclusion'), lineAt(run, 'status'));
  const name = firstNonEmpty(lineAt(run, 'name'), lineAt(run, 'display_title'));
  return [
    escapeStyling(`workflow ${name} on ${lineAt(run, 'head_branch')}: ${outcome.replaceAll('_', ' ')}`),
    linkAt(run, 'html_url'),
  ];
}

function tellWiki(call: unknown, actor: string): string[] {
  const pages = listAt(call, 'pages').map((page) => `${lineAt(page, 'action')} ${lineAt(page, 'title')}`);
  const what = pages.length > 0 ? pages : [`${lineAt(call, 'action')} ${lineAt(call, 'page')}`];
  return [
    escapeStyling(toOneLine(`${actor} ${what.join(', ')} in the wiki`)),
    escapeStyling(lineAt(call, 'comment')),
  ];
}

function tellOther(call: unknown, event: string, actor: string): string[] {
  const action = lineAt(call, 'action').replaceAll('_', ' ');
  const what = event.replaceAll('_', ' ');
  const told = what === '' && action === '' ? 'did something' : `${what} ${action}`;
  return [escapeStyling(toOneLine(`${actor}: ${told}`))];
}
