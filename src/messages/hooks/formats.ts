import { readAlertmanager } from './alertmanager.ts';
import { readGeneric } from './generic.ts';
import { readGit } from './git.ts';
import { readGrafana } from './grafana.ts';
import type { Format, HookCall } from './notice.ts';
import { at } from './read.ts';
import { readSlack } from './slack.ts';
import { readUptimeKuma } from './uptime-kuma.ts';

export type FormatName =
  | 'alertmanager'
  | 'grafana'
  | 'github'
  | 'gitea'
  | 'forgejo'
  | 'uptime-kuma'
  | 'slack'
  | 'generic';

/** How each program's payload is read. */
export const formats: Readonly<Record<FormatName, Format>> = {
  alertmanager: readAlertmanager,
  grafana: readGrafana,
  github: readGit,
  gitea: readGit,
  forgejo: readGit,
  'uptime-kuma': readUptimeKuma,
  slack: readSlack,
  generic: readGeneric,
};

/** Which program a payload looks like; `generic` where it looks like none. */
export function guessFormat({ payload, event }: HookCall): FormatName {
  const has = (...names: readonly string[]) => names.every((name) => at(payload, name) !== undefined);
  // Gitea names the event in its messages for Slack, too.
  if (event !== undefined && ['repository', 'sender', 'zen'].some((name) => has(name))) return 'github';
  if (has('alerts', 'receiver'))
    return has('orgId') || at(payload, 'version') === '1' ? 'grafana' : 'alertmanager';
  if (has('ruleName') && (has('evalMatches') || has('ruleUrl'))) return 'grafana';
  if (has('heartbeat', 'monitor', 'msg')) return 'uptime-kuma';
  if (has('repository') && (has('sender') || has('pusher'))) return 'github';
  if (has('attachments') || has('blocks') || (has('text') && (has('username') || has('channel'))))
    return 'slack';
  return 'generic';
}
