import type { HookProgram, WebhookEvent } from '../hook-message.ts';
import { alertmanager } from './alerts/alertmanager.ts';
import { grafana } from './alerts/grafana.ts';
import { discord } from './discord.ts';
import { generic } from './generic.ts';
import { forge } from './git/git.ts';
import { gitlab } from './gitlab/gitlab.ts';
import { gotify } from './gotify.ts';
import { healthchecks } from './healthchecks.ts';
import { ntfy } from './ntfy.ts';
import { proxmox } from './proxmox.ts';
import { sentry } from './sentry.ts';
import { servarr } from './servarr.ts';
import { slack } from './slack/slack.ts';
import { teams } from './teams/teams.ts';
import { uptimeKuma } from './uptime-kuma.ts';

/** All programs, by the names in the config. `format: auto` asks them in this order. */
export const hookPrograms = {
  gitlab,
  github: forge,
  gitea: forge,
  forgejo: forge,
  grafana,
  alertmanager,
  'uptime-kuma': uptimeKuma,
  sentry,
  sonarr: servarr,
  radarr: servarr,
  proxmox,
  gotify,
  ntfy,
  healthchecks,
  teams,
  discord,
  slack,
  generic,
} as const satisfies Record<string, HookProgram>;

export type HookFormatName = keyof typeof hookPrograms;

/** Returns the program of a format. */
export function hookProgram(format: HookFormatName): HookProgram {
  return hookPrograms[format];
}

const NAMES = Object.keys(hookPrograms) as HookFormatName[];

/** Guesses the format of a request. Returns `generic` if no program recognizes it. */
export function detectFormat(event: WebhookEvent): HookFormatName {
  return NAMES.find((name) => hookProgram(name).recognizes?.(event) ?? false) ?? 'generic';
}
