import { firstNonEmpty, lineAt, linkAt, textAt, truncate, valueAt } from '../../payload-fields.ts';
import { escapeStyling, quote } from '../../styling.ts';

const MAX_BODY = 600;

/** Formats events of issues, pull requests, discussions and their comments. Returns undefined for other events. */
export function formatDiscussion(call: unknown, event: string, actor: string): string[] | undefined {
  const isPull =
    valueAt(call, 'pull_request') !== undefined || valueAt(call, 'issue', 'pull_request') instanceof Object;
  const topic = firstTopic(call);
  if (topic === undefined) return undefined;
  const name = topicName(call, topic, isPull || valueAt(call, 'is_pull') === true);
  if (valueAt(call, 'comment') !== undefined) return formatComment(call, actor, name);
  if (valueAt(call, 'review') instanceof Object) return formatReview(call, event, actor, name);
  return formatTopic(call, topic, actor, name);
}

function firstTopic(call: unknown): unknown {
  return ['pull_request', 'issue', 'discussion']
    .map((key) => valueAt(call, key))
    .find((topic) => topic instanceof Object);
}

/** `pull request #12 Make it faster` */
function topicName(call: unknown, topic: unknown, isPull: boolean): string {
  const kind = isPull ? 'pull request' : valueAt(call, 'discussion') === topic ? 'discussion' : 'issue';
  return `${kind} #${lineAt(topic, 'number')} ${lineAt(topic, 'title')}`.trim();
}

function formatComment(call: unknown, actor: string, name: string): string[] {
  const comment = valueAt(call, 'comment');
  const action = lineAt(call, 'action');
  const how = action === 'created' || action === '' ? 'commented on' : `${action} a comment on`;
  return [
    escapeStyling(`${actor} ${how} ${name}`),
    action === 'deleted' ? '' : quoteField(comment, 'body'),
    linkOf(comment),
  ];
}

/** GitHub uses `review.state`, Gitea uses `review.type` and a separate event. */
function formatReview(call: unknown, event: string, actor: string, name: string): string[] {
  const review = valueAt(call, 'review');
  const decision = `${lineAt(review, 'state')} ${lineAt(review, 'type')} ${event}`;
  const how =
    valueAt(call, 'action') === 'dismissed'
      ? 'dismissed a review of'
      : /approved/.test(decision)
        ? 'approved'
        : /changes_requested|rejected/.test(decision)
          ? 'asked for changes in'
          : 'reviewed';
  return [
    escapeStyling(`${actor} ${how} ${name}`),
    firstNonEmpty(quoteField(review, 'body'), quoteField(review, 'content')),
    firstNonEmpty(linkOf(review), linkOf(valueAt(call, 'pull_request'))),
  ];
}

const ACTIONS: Readonly<Record<string, string>> = {
  synchronize: 'updated',
  synchronized: 'updated',
  label_updated: 'changed the labels of',
  label_cleared: 'removed the labels of',
  labeled: 'labelled',
  unlabeled: 'removed a label from',
  milestoned: 'set the milestone of',
  demilestoned: 'removed the milestone of',
  review_requested: 'asked for a review of',
  review_request_removed: 'withdrew the request for a review of',
  ready_for_review: 'opened for review',
  converted_to_draft: 'converted to a draft',
};

/** Actions that are shown with the text of the topic. */
const WITH_BODY = ['opened', 'reopened', 'created'];

function formatTopic(call: unknown, topic: unknown, actor: string, name: string): string[] {
  const action = lineAt(call, 'action');
  const isMerged =
    action === 'closed' && (valueAt(topic, 'merged') === true || valueAt(topic, 'has_merged') === true);
  const verb = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : action.replaceAll('_', ' ');
  return [
    escapeStyling(`${actor} ${isMerged ? 'merged' : firstNonEmpty(verb ?? '', 'changed')} ${name}`),
    WITH_BODY.includes(action) ? quoteField(topic, 'body') : '',
    linkOf(topic),
  ];
}

function quoteField(value: unknown, key: string): string {
  const text = truncate(textAt(value, key), MAX_BODY);
  return text === '' ? '' : quote(text);
}

function linkOf(value: unknown): string {
  return firstNonEmpty(linkAt(value, 'html_url'), linkAt(value, 'url'));
}
