import { parsePayloadPath } from './formats/generic.ts';
import type { HookFormatName } from './formats/registry.ts';
import { type Hook, type HookResult, type HookServices, handleHookRequest } from './handle-hook.ts';
import type { FieldPaths } from './hook-message.ts';

/** A request as the program of a format sends it. */
export interface TestPayload {
  readonly payload: unknown;
  /** Request headers in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

const TITLE = 'Test';
const TEXT = 'This is a test of this hook from the web page of Porter.';
const PROJECT = 'porter/test';

const push = {
  ref: 'refs/heads/main',
  commits: [{ id: '1c2d3e4f', message: TEXT, author: { name: 'Porter' } }],
};
const forgePush = {
  ...push,
  after: '1c2d3e4f',
  repository: { full_name: PROJECT },
  sender: { login: 'porter' },
};
const alert = {
  status: 'firing',
  labels: { alertname: TITLE },
  annotations: { summary: TEXT },
  startsAt: '2026-01-01T12:00:00Z',
};
const alerts = { receiver: 'porter', status: 'firing', groupLabels: { alertname: TITLE }, alerts: [alert] };
const health = { eventType: 'Health', level: 'warning', type: TITLE, message: TEXT };

const PAYLOADS: Readonly<Record<Exclude<HookFormatName, 'generic'>, TestPayload>> = {
  gitlab: {
    payload: {
      ...push,
      object_kind: 'push',
      user_username: 'porter',
      project: { path_with_namespace: PROJECT },
      total_commits_count: 1,
    },
    headers: { 'x-gitlab-event': 'Push Hook' },
  },
  github: { payload: forgePush, headers: { 'x-github-event': 'push' } },
  gitea: { payload: forgePush, headers: { 'x-gitea-event': 'push' } },
  forgejo: { payload: forgePush, headers: { 'x-forgejo-event': 'push' } },
  grafana: { payload: { ...alerts, orgId: 1, version: '1', title: TITLE } },
  alertmanager: { payload: { ...alerts, version: '4' } },
  'uptime-kuma': {
    payload: {
      heartbeat: { status: 0, time: '2026-01-01 12:00:00', msg: TEXT },
      monitor: { name: TITLE },
      msg: `[${TITLE}] [🔴 Down] ${TEXT}`,
    },
  },
  sentry: {
    payload: {
      action: 'triggered',
      actor: { type: 'application', name: 'Sentry' },
      data: { event: { level: 'info', title: TEXT, culprit: PROJECT }, triggered_rule: TITLE },
      installation: { uuid: '0' },
    },
    headers: { 'sentry-hook-resource': 'event_alert' },
  },
  sonarr: { payload: { ...health, instanceName: 'Sonarr' } },
  radarr: { payload: { ...health, instanceName: 'Radarr' } },
  proxmox: { payload: { title: TITLE, message: TEXT, severity: 'info' } },
  gotify: { payload: { title: TITLE, message: TEXT, priority: 5 }, headers: { 'x-gotify-key': 'test' } },
  ntfy: { payload: { topic: 'porter', title: TITLE, message: TEXT } },
  healthchecks: { payload: { name: TITLE, status: 'down', body: TEXT, n_pings: 1 } },
  teams: {
    payload: {
      '@type': 'MessageCard',
      '@context': 'https://schema.org/extensions',
      title: TITLE,
      text: TEXT,
    },
  },
  discord: { payload: { username: 'Porter', content: `**${TITLE}**: ${TEXT}` } },
  slack: { payload: { username: 'Porter', text: `*${TITLE}*: ${TEXT}` } },
};

/** Returns a test payload of a format. `generic` has its text in the field that the hook reads. */
export function testPayloadOf(format: HookFormatName, fields: FieldPaths): TestPayload {
  if (format !== 'generic') return PAYLOADS[format];
  return { payload: withValueAt(parsePayloadPath(fields.text ?? 'text'), TEXT) };
}

/** Builds the objects and arrays around a value. */
function withValueAt(path: readonly (string | number)[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const inner = withValueAt(rest, value);
  return /^\d+$/.test(String(key))
    ? [...Array(Math.min(Number(key), 99)).fill(null), inner]
    : { [key]: inner };
}

/**
 * Sends a test payload of the hook's format to its recipients, as a request of its program would. A hook with the format `auto`
 * gets the payload of `generic`, because its program is not known. Throws the refusals of `handleHookRequest`.
 */
export async function sendHookTest(
  services: HookServices,
  hook: Hook,
  linkBase: () => string,
): Promise<HookResult> {
  const { format, fields } = hook.rule;
  const known: HookFormatName = format === 'auto' ? 'generic' : format;
  const { payload, headers = {} } = testPayloadOf(known, fields);
  const event = { payload, header: (name: string) => headers[name], query: () => undefined };
  return await handleHookRequest(services, hook, { event, linkBase });
}
