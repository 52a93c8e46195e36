import {
  firstNonEmpty,
  lineAt,
  linkAt,
  listAt,
  textAt,
  toOneLine,
  truncate,
  valueAt,
} from '../../payload-fields.ts';
import { escapeStyling, quote } from '../../styling.ts';

/** Further commits of a push are only counted. */
const MAX_COMMITS = 10;
const MAX_BODY = 600;
/** GitLab's id of a missing commit, in SHA-1 or SHA-256. */
const NO_COMMIT = /^0{40,64}$/;

export function formatPush(event: unknown, actor: string): string[] {
  const branch = lineAt(event, 'ref').replace(/^refs\/heads\//, '');
  const before = lineAt(event, 'before');
  const after = lineAt(event, 'after');
  if (NO_COMMIT.test(after)) return [escapeStyling(`${actor} deleted branch ${branch}`)];
  const commits = listAt(event, 'commits');
  const count = Math.max(commits.length, Number(lineAt(event, 'total_commits_count')) || 0);
  // The newest commits come last.
  const shown = commits.slice(-MAX_COMMITS).map(formatCommit);
  const isNew = NO_COMMIT.test(before);
  const subject = count === 0 ? branch : `${count} ${count === 1 ? 'commit' : 'commits'} to ${branch}`;
  return [
    escapeStyling(isNew && count === 0 ? `${actor} created branch ${branch}` : `${actor} pushed ${subject}`),
    ...shown,
    count > shown.length && shown.length > 0 ? `… and ${count - shown.length} more` : '',
    isNew ? pageOf(event, `tree/${branch}`) : pageOf(event, `compare/${before}...${after}`),
  ];
}

function formatCommit(commit: unknown): string {
  const author = lineAt(commit, 'author', 'name');
  const subject = firstNonEmpty(
    lineAt(commit, 'title'),
    toOneLine(textAt(commit, 'message').split('\n')[0] ?? ''),
  );
  const id = lineAt(commit, 'id').slice(0, 8);
  return `- ${escapeStyling(toOneLine(`${id} ${subject}${author === '' ? '' : ` (${author})`}`))}`;
}

export function formatTagPush(event: unknown, actor: string): string[] {
  const tag = lineAt(event, 'ref').replace(/^refs\/tags\//, '');
  if (NO_COMMIT.test(lineAt(event, 'after'))) return [escapeStyling(`${actor} deleted tag ${tag}`)];
  return [
    escapeStyling(`${actor} pushed tag ${tag}`),
    quoteText(textAt(event, 'message')),
    pageOf(event, `tags/${tag}`),
  ];
}

const RELEASE_ACTIONS: Readonly<Record<string, string>> = {
  create: 'published',
  update: 'changed',
  delete: 'deleted',
};

export function formatRelease(event: unknown): string[] {
  const action = lineAt(event, 'action');
  const verb = Object.hasOwn(RELEASE_ACTIONS, action)
    ? RELEASE_ACTIONS[action]
    : firstNonEmpty(action, 'changed');
  const name = lineAt(event, 'name');
  const tag = lineAt(event, 'tag');
  return [
    escapeStyling(toOneLine(`release ${name}${tag === '' || tag === name ? '' : ` (${tag})`} ${verb}`)),
    action === 'delete' ? '' : quoteText(textAt(event, 'description')),
    linkAt(event, 'url'),
  ];
}

export function formatWikiPage(event: unknown, actor: string): string[] {
  const page = valueAt(event, 'object_attributes');
  const action = firstNonEmpty(lineAt(page, 'action'), 'change').replace(/e$/, '');
  return [
    escapeStyling(toOneLine(`${actor} ${action}ed the wiki page ${lineAt(page, 'title')}`)),
    quoteText(textAt(page, 'message')),
    action === 'delet' ? '' : linkAt(page, 'url'),
  ];
}

/** Quotes the beginning of a text that a user wrote. */
export function quoteText(text: string): string {
  return text === '' ? '' : quote(truncate(text, MAX_BODY));
}

/** Returns the URL of a page of the project; empty without a URL of the project. */
function pageOf(event: unknown, path: string): string {
  const project = linkAt(event, 'project', 'web_url');
  if (project === '') return '';
  return linkAt({ link: `${project}/-/${encodeURI(path.toWellFormed())}` }, 'link');
}
