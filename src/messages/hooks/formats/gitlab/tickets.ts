import { firstNonEmpty, lineAt, linkAt, textAt, toOneLine, valueAt } from '../../payload-fields.ts';
import { escapeStyling } from '../../styling.ts';
import { quoteText } from './repository.ts';

/** Actions of issues and merge requests (`object_attributes.action`). */
const ACTIONS: Readonly<Record<string, string>> = {
  open: 'opened',
  close: 'closed',
  reopen: 'reopened',
  update: 'updated',
  merge: 'merged',
  approved: 'approved',
  approval: 'approved',
  unapproved: 'withdrew the approval of',
  unapproval: 'withdrew the approval of',
};

const WITH_DESCRIPTION = ['open', 'reopen'];

/** Issues, and other work items such as tasks, epics and incidents. */
export function formatIssue(event: unknown, actor: string): string[] {
  const issue = valueAt(event, 'object_attributes');
  const kind = firstNonEmpty(lineAt(issue, 'type'), 'issue').toLowerCase();
  return formatTicket(event, actor, issue, nameOf(kind, '#', issue));
}

export function formatMergeRequest(event: unknown, actor: string): string[] {
  const request = valueAt(event, 'object_attributes');
  const name = nameOf('merge request', '!', request);
  const isPush = lineAt(request, 'action') === 'update' && lineAt(request, 'oldrev') !== '';
  if (isPush) {
    const commit = toOneLine(textAt(request, 'last_commit', 'message').split('\n')[0] ?? '');
    return [
      escapeStyling(`${actor} pushed to ${name}`),
      commit === '' ? '' : `- ${escapeStyling(commit)}`,
      linkAt(request, 'url'),
    ];
  }
  const lines = formatTicket(event, actor, request, name);
  const source = lineAt(request, 'source_branch');
  const branches = `${source} into ${lineAt(request, 'target_branch')}`;
  const isOpen = WITH_DESCRIPTION.includes(lineAt(request, 'action'));
  return isOpen && source !== '' ? lines.toSpliced(1, 0, escapeStyling(branches)) : lines;
}

function formatTicket(event: unknown, actor: string, ticket: unknown, name: string): string[] {
  const action = lineAt(ticket, 'action');
  const verb = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : firstNonEmpty(action, 'changed');
  return [
    escapeStyling(`${actor} ${verb} ${name}`),
    WITH_DESCRIPTION.includes(action) ? quoteText(textAt(ticket, 'description')) : '',
    action === 'update' ? escapeStyling(formatChanges(event)) : '',
    linkAt(ticket, 'url'),
  ];
}

/** Fields that change with every update. */
const UNINTERESTING =
  /(?:_at|_by_id|_id|_seconds|^relative_position|^lock_version|^description_html|^title_html)$/;

/** `changed: labels, draft` */
function formatChanges(event: unknown): string {
  const changes = valueAt(event, 'changes');
  if (!(changes instanceof Object)) return '';
  const names = Object.keys(changes)
    .filter((name) => !UNINTERESTING.test(name))
    .slice(0, 10)
    .map((name) => name.replaceAll('_', ' '));
  return names.length === 0 ? '' : toOneLine(`changed: ${names.join(', ')}`);
}

/** A comment on an issue, a merge request, a commit or a snippet. */
export function formatNote(event: unknown, actor: string): string[] | undefined {
  const note = valueAt(event, 'object_attributes');
  // Notes that GitLab writes itself, such as "changed the description".
  if (valueAt(note, 'system') === true) return undefined;
  const how = lineAt(note, 'action') === 'update' ? 'changed a comment on' : 'commented on';
  return [
    escapeStyling(toOneLine(`${actor} ${how} ${subjectOf(event)}`)),
    quoteText(textAt(note, 'note')),
    linkAt(note, 'url'),
  ];
}

function subjectOf(event: unknown): string {
  const has = (key: string) => valueAt(event, key) instanceof Object;
  if (has('merge_request')) return nameOf('merge request', '!', valueAt(event, 'merge_request'));
  if (has('issue')) return nameOf('issue', '#', valueAt(event, 'issue'));
  if (has('snippet')) return `snippet ${lineAt(event, 'snippet', 'title')}`;
  const commit = valueAt(event, 'commit');
  const [subject = ''] = textAt(commit, 'message').split('\n');
  return `commit ${lineAt(commit, 'id').slice(0, 8)} ${subject}`;
}

export function formatMilestone(event: unknown, actor: string): string[] {
  const milestone = valueAt(event, 'object_attributes');
  const action = firstNonEmpty(lineAt(event, 'action'), lineAt(milestone, 'action'), 'change').replace(
    /e$/,
    '',
  );
  return [escapeStyling(toOneLine(`${actor} ${action}ed milestone ${lineAt(milestone, 'title')}`))];
}

/** `merge request !12 Make it faster` */
function nameOf(kind: string, sign: '#' | '!', ticket: unknown): string {
  return toOneLine(`${kind} ${sign}${lineAt(ticket, 'iid')} ${lineAt(ticket, 'title')}`);
}
