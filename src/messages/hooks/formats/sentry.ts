import type { HookFormat, HookProgram, WebhookEvent } from '../hook-message.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  requirePayloadObject,
  textAt,
  toOneLine,
  truncate,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines, quote } from '../styling.ts';

const MAX_BODY = 600;

/** Names in `data` of the resources that `Sentry-Hook-Resource` announces. */
const RESOURCES = ['event', 'error', 'metric_alert', 'issue', 'comment'] as const;
type Resource = (typeof RESOURCES)[number];

const parse: HookFormat = (event, { resolved }) => {
  const call = requirePayloadObject(event.payload, 'Sentry');
  const data = valueAt(call, 'data') ?? call;
  const action = lineAt(call, 'action');
  if (resolved === 'hide' && action === 'resolved') return undefined;
  const resource = RESOURCES.find((name) => hasFields(data, name));
  const lines = resource === undefined ? formatOther(event, call) : FORMATS[resource](data, action, call);
  return { text: joinLines(...lines), images: [] };
};

/** Sentry's integration platform, and the older plug-in for webhooks. */
export const sentry: HookProgram = {
  parse,
  recognizes: (event) =>
    event.header('sentry-hook-resource') !== undefined ||
    (hasFields(event.payload, 'action', 'data', 'installation') && hasFields(event.payload, 'actor')) ||
    hasFields(event.payload, 'project_slug', 'event', 'triggering_rules'),
};

type Formatter = (data: unknown, action: string, call: unknown) => string[];

/** An issue alert, and an event of the older plug-in. */
const formatEvent: Formatter = (data, action, call) => {
  const event = valueAt(data, 'event');
  const rule = firstNonEmpty(
    lineAt(data, 'triggered_rule'),
    lineAt(data, 'issue_alert', 'title'),
    lineAt(call, 'triggering_rules', 0),
  );
  return [
    headline(lineAt(event, 'level'), titleOf(event, lineAt(call, 'message')), lineAt(call, 'project_name')),
    culpritOf(event),
    rule === '' ? '' : escapeStyling(`rule: ${rule}`),
    contextOf(event),
    firstNonEmpty(linkAt(event, 'web_url'), linkAt(call, 'url')),
    action === 'triggered' || action === '' ? '' : escapeStyling(action),
  ];
};

const formatError: Formatter = (data) => {
  const error = valueAt(data, 'error');
  return [
    headline(lineAt(error, 'level'), titleOf(error, ''), ''),
    culpritOf(error),
    contextOf(error),
    linkAt(error, 'web_url'),
  ];
};

const formatIssue: Formatter = (data, action, call) => {
  const issue = valueAt(data, 'issue');
  const actor = lineAt(call, 'actor', 'name');
  const by = actor === '' || actor === 'Sentry' ? '' : ` by ${actor}`;
  const assignee = action === 'assigned' ? lineAt(issue, 'assignedTo', 'name') : '';
  const substatus = lineAt(issue, 'substatus');
  const state =
    action === 'unresolved' && substatus !== '' ? `${action} (${substatus.replaceAll('_', ' ')})` : action;
  return [
    headline(
      action === 'resolved' ? action : lineAt(issue, 'level'),
      titleOf(issue, ''),
      lineAt(issue, 'project', 'name'),
    ),
    culpritOf(issue),
    escapeStyling(
      toOneLine(
        `${lineAt(issue, 'shortId')} ${state.replaceAll('_', ' ')}${assignee === '' ? '' : ` to ${assignee}`}${by}`,
      ),
    ),
    firstNonEmpty(linkAt(issue, 'web_url'), linkAt(issue, 'permalink')),
  ];
};

const formatMetricAlert: Formatter = (data, action) => {
  const alert = valueAt(data, 'metric_alert');
  const title = firstNonEmpty(lineAt(data, 'description_title'), lineAt(alert, 'title'));
  return [
    // The title begins with the state, except in old versions.
    title.toLowerCase().startsWith(action) ? bold(title) : headline(action, title, ''),
    // Sentry writes a line break of this text as two characters.
    escapeStyling(textAt(data, 'description_text').replaceAll('\\n', '\n')),
    linkAt(data, 'web_url'),
  ];
};

const formatComment: Formatter = (data, action, call) => {
  const body = truncate(textAt(data, 'comment'), MAX_BODY);
  const how = action === 'created' || action === '' ? 'commented on' : `${action} a comment on`;
  const actor = firstNonEmpty(lineAt(call, 'actor', 'name'), 'somebody');
  const project = lineAt(data, 'project_slug');
  return [
    `${bold(`[${firstNonEmpty(project, 'Sentry')}]`)} ${escapeStyling(
      toOneLine(`${actor} ${how} issue ${lineAt(data, 'issue_id')}`),
    )}`,
    action === 'deleted' || body === '' ? '' : quote(body),
  ];
};

const FORMATS: Readonly<Record<Resource, Formatter>> = {
  event: formatEvent,
  error: formatError,
  metric_alert: formatMetricAlert,
  issue: formatIssue,
  comment: formatComment,
};

function formatOther({ header }: WebhookEvent, call: object): string[] {
  const resource = toOneLine(header('sentry-hook-resource') ?? 'event').replaceAll('_', ' ');
  return [escapeStyling(toOneLine(`Sentry: ${resource} ${lineAt(call, 'action')}`))];
}

function headline(level: string, title: string, project: string): string {
  const source = project === '' ? '' : `${project}: `;
  return bold(`[${firstNonEmpty(level, 'error').toUpperCase()}] ${source}${title}`);
}

function titleOf(event: unknown, fallback: string): string {
  return firstNonEmpty(
    lineAt(event, 'title'),
    lineAt(event, 'message'),
    fallback,
    'an event without a title',
  );
}

function culpritOf(event: unknown): string {
  return escapeStyling(firstNonEmpty(lineAt(event, 'culprit'), lineAt(event, 'location')));
}

function contextOf(event: unknown): string {
  const parts = ['environment', 'release'].map((key) => [key, lineAt(event, key)] as const);
  return escapeStyling(
    parts
      .filter(([, value]) => value !== '')
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
  );
}
