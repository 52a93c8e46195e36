import type { HookFormat, WebhookEvent } from '../hook-message.ts';
import { valueAt } from '../payload-fields.ts';
import { parseAlertmanager } from './alertmanager.ts';
import { parseGeneric } from './generic.ts';
import { parseGitEvent } from './git.ts';
import { parseGrafana } from './grafana.ts';
import { parseSlack } from './slack.ts';
import { parseUptimeKuma } from './uptime-kuma.ts';

export type HookFormatName =
  | 'alertmanager'
  | 'grafana'
  | 'github'
  | 'gitea'
  | 'forgejo'
  | 'uptime-kuma'
  | 'slack'
  | 'generic';

/** The parser of each format. */
export const hookFormats: Readonly<Record<HookFormatName, HookFormat>> = {
  alertmanager: parseAlertmanager,
  grafana: parseGrafana,
  github: parseGitEvent,
  gitea: parseGitEvent,
  forgejo: parseGitEvent,
  'uptime-kuma': parseUptimeKuma,
  slack: parseSlack,
  generic: parseGeneric,
};

/** Guesses the format from the payload. Returns `generic` if it matches no program. */
export function detectFormat({ payload, eventName }: WebhookEvent): HookFormatName {
  const has = (...names: readonly string[]) => names.every((name) => valueAt(payload, name) !== undefined);
  // Gitea also sends the event header with payloads in Slack's format.
  if (eventName !== undefined && ['repository', 'sender', 'zen'].some((name) => has(name))) return 'github';
  if (has('alerts', 'receiver'))
    return has('orgId') || valueAt(payload, 'version') === '1' ? 'grafana' : 'alertmanager';
  if (has('ruleName') && (has('evalMatches') || has('ruleUrl'))) return 'grafana';
  if (has('heartbeat', 'monitor', 'msg')) return 'uptime-kuma';
  if (has('repository') && (has('sender') || has('pusher'))) return 'github';
  if (has('attachments') || has('blocks') || (has('text') && (has('username') || has('channel'))))
    return 'slack';
  return 'generic';
}
