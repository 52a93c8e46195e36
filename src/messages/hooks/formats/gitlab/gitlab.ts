import type { HookFormat, HookProgram, WebhookEvent } from '../../hook-message.ts';
import { firstNonEmpty, hasFields, lineAt, requirePayloadObject, toOneLine } from '../../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../../styling.ts';
import { formatDeployment, formatJob, formatPipeline } from './pipelines.ts';
import { formatPush, formatRelease, formatTagPush, formatWikiPage } from './repository.ts';
import { formatIssue, formatMergeRequest, formatMilestone, formatNote } from './tickets.ts';

/** Returns the lines of a message without the project; undefined if the event needs no message. */
export type EventFormatter = (
  event: unknown,
  actor: string,
  resolved: 'show' | 'hide',
) => readonly string[] | undefined;

/** By `object_kind` (docs.gitlab.com/user/project/integrations/webhook_events). */
const EVENTS: Readonly<Record<string, EventFormatter>> = {
  push: formatPush,
  tag_push: formatTagPush,
  merge_request: formatMergeRequest,
  issue: formatIssue,
  work_item: formatIssue,
  note: formatNote,
  pipeline: formatPipeline,
  build: formatJob,
  release: formatRelease,
  wiki_page: formatWikiPage,
  deployment: formatDeployment,
  milestone: formatMilestone,
};

const parse: HookFormat = (event, { resolved }) => {
  const call = requirePayloadObject(event.payload, 'GitLab');
  const kind = firstNonEmpty(lineAt(call, 'object_kind'), lineAt(call, 'event_name'));
  const format = Object.hasOwn(EVENTS, kind) ? EVENTS[kind] : undefined;
  const lines = (format ?? describeOther(event, kind))(call, getActor(call), resolved);
  if (lines === undefined) return undefined;
  const [first = '', ...rest] = lines;
  return { text: joinLines(`${bold(`[${getProject(call)}]`)} ${first}`, ...rest), images: [] };
};

/** Webhooks of projects and groups, and system hooks, of GitLab. */
export const gitlab: HookProgram = {
  parse,
  recognizes: ({ payload, header }) =>
    header('x-gitlab-event') !== undefined ||
    (hasFields(payload, 'object_kind') &&
      (hasFields(payload, 'project') || hasFields(payload, 'project_id'))),
};

function getProject(call: unknown): string {
  return firstNonEmpty(
    lineAt(call, 'project', 'path_with_namespace'),
    lineAt(call, 'project_name'),
    lineAt(call, 'project', 'name'),
    lineAt(call, 'path_with_namespace'),
    lineAt(call, 'group_path'),
    lineAt(call, 'full_path'),
    lineAt(call, 'group', 'full_path'),
    'GitLab',
  );
}

/** The user who caused the event. */
function getActor(call: unknown): string {
  return firstNonEmpty(
    lineAt(call, 'user', 'username'),
    lineAt(call, 'user', 'name'),
    lineAt(call, 'user_username'),
    lineAt(call, 'user_name'),
    'somebody',
  );
}

function describeOther({ header }: WebhookEvent, kind: string): EventFormatter {
  return (call, actor) => {
    const name = firstNonEmpty(
      kind,
      toOneLine(header('x-gitlab-event') ?? '').replace(/ hook$/i, ''),
      'event',
    );
    const action = firstNonEmpty(lineAt(call, 'object_attributes', 'action'), lineAt(call, 'action'));
    return [escapeStyling(toOneLine(`${actor}: ${name.replaceAll('_', ' ')} ${action}`))];
  };
}
