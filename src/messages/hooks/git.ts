import { readDiscussion } from './git-discussions.ts';
import type { Format } from './notice.ts';
import { at, firstOf, lineAt, linkAt, listAt, oneLine, sectionOf, shorten, textAt } from './read.ts';
import { lines, plain, quote, strong } from './styling.ts';

/** Of a push; the rest is counted. */
const MAX_COMMITS = 10;
const MAX_BODY = 600;

/**
 * GitHub's webhooks, and those of Gitea and Forgejo, which have their shape. Which event it is stands in a header; a
 * proxy or a script may have lost it, so that the payload itself decides as far as it can.
 */
export const readGit: Format = ({ payload, event }) => {
  const call = sectionOf(payload, 'GitHub, Gitea or Forgejo');
  const text = lines(strong(`[${placeOf(call)}]`), ...tell(call, event ?? '')).replace('\n', ' ');
  return { text, images: [] };
};

/** Repository, organisation, or nothing better. */
function placeOf(call: unknown): string {
  return firstOf(
    lineAt(call, 'repository', 'full_name'),
    lineAt(call, 'organization', 'login'),
    lineAt(call, 'repository', 'name'),
    'git',
  );
}

/** Who did it. */
function actorOf(call: unknown): string {
  return firstOf(
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
  if (event === 'ping' || at(call, 'zen') !== undefined) return ['this hook works'];
  if (at(call, 'commits') !== undefined && at(call, 'ref') !== undefined) return tellPush(call, actor);
  if (at(call, 'ref_type') !== undefined) return tellRef(call, event, actor);
  const discussion = readDiscussion(call, event, actor);
  if (discussion) return discussion;
  if (at(call, 'release') !== undefined) return tellRelease(call, actor);
  if (at(call, 'forkee') !== undefined) {
    return [
      plain(`${actor} forked it to ${lineAt(call, 'forkee', 'full_name')}`),
      linkAt(call, 'forkee', 'html_url'),
    ];
  }
  if (at(call, 'workflow_run') !== undefined) return tellRun(at(call, 'workflow_run'));
  if (at(call, 'page') !== undefined || at(call, 'pages') !== undefined) return tellWiki(call, actor);
  return tellOther(call, event, actor);
}

function tellPush(call: unknown, actor: string): string[] {
  const ref = refOf(call);
  const commits = listAt(call, 'commits');
  if (/^0+$/.test(lineAt(call, 'after')) || at(call, 'deleted') === true)
    return [plain(`${actor} deleted ${ref}`)];
  const count = Math.max(commits.length, Number(lineAt(call, 'total_commits')) || 0);
  const shown = commits.slice(0, MAX_COMMITS).map(commitLine);
  const how = at(call, 'forced') === true ? 'force-pushed' : 'pushed';
  const what = count === 0 ? ref : `${count} ${count === 1 ? 'commit' : 'commits'} to ${ref}`;
  return [
    plain(`${actor} ${how} ${what}`),
    ...shown,
    count > shown.length && shown.length > 0 ? `… and ${count - shown.length} more` : '',
    firstOf(linkAt(call, 'compare_url'), linkAt(call, 'compare')),
  ];
}

function commitLine(commit: unknown): string {
  const author = firstOf(lineAt(commit, 'author', 'username'), lineAt(commit, 'author', 'name'));
  const [subject = ''] = textAt(commit, 'message').split('\n');
  const id = lineAt(commit, 'id').slice(0, 8);
  return `- ${plain(oneLine(`${id} ${subject}${author === '' ? '' : ` (${author})`}`))}`;
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
      ? at(call, 'sha') !== undefined || at(call, 'master_branch') !== undefined
      : event === 'create';
  const name = lineAt(call, 'ref').replace(/^refs\/(?:heads|tags)\//, '');
  return [plain(oneLine(`${actor} ${isNew ? 'created' : 'deleted'} ${lineAt(call, 'ref_type')} ${name}`))];
}

function tellRelease(call: unknown, actor: string): string[] {
  const release = at(call, 'release');
  const name = firstOf(lineAt(release, 'name'), lineAt(release, 'tag_name'));
  const body = at(call, 'action') === 'deleted' ? '' : shorten(textAt(release, 'body'), MAX_BODY);
  return [
    plain(`${actor} ${lineAt(call, 'action')} release ${name}`),
    body === '' ? '' : quote(body),
    firstOf(linkAt(release, 'html_url'), linkAt(release, 'url')),
  ];
}

/** GitHub Actions, and Gitea's from 1.24 on. */
function tellRun(run: unknown): string[] {
  const outcome = firstOf(lineAt(run, 'conclusion'), lineAt(run, 'status'));
  const name = firstOf(lineAt(run, 'name'), lineAt(run, 'display_title'));
  return [
    plain(`workflow ${name} on ${lineAt(run, 'head_branch')}: ${outcome.replaceAll('_', ' ')}`),
    linkAt(run, 'html_url'),
  ];
}

function tellWiki(call: unknown, actor: string): string[] {
  const pages = listAt(call, 'pages').map((page) => `${lineAt(page, 'action')} ${lineAt(page, 'title')}`);
  const what = pages.length > 0 ? pages : [`${lineAt(call, 'action')} ${lineAt(call, 'page')}`];
  return [plain(oneLine(`${actor} ${what.join(', ')} in the wiki`)), plain(lineAt(call, 'comment'))];
}

function tellOther(call: unknown, event: string, actor: string): string[] {
  const action = lineAt(call, 'action').replaceAll('_', ' ');
  const what = event.replaceAll('_', ' ');
  const told = what === '' && action === '' ? 'did something' : `${what} ${action}`;
  return [plain(oneLine(`${actor}: ${told}`))];
}
