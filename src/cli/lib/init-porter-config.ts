import type { InitPlan, XmppServerKind } from './init-plan.ts';
import { DEFAULT_HTTP_PORT } from './init-plan.ts';

const SECRET_SETTING: Record<XmppServerKind, string> = {
  prosody: 'component_secret in prosody.cfg.lua',
  ejabberd: 'password of this host in ejabberd.yml',
  component: 'secret of this component in the XMPP server',
};

function formatComponents({ serverKind, domains, componentPort, localTrial }: InitPlan): string {
  const isList = domains.length > 1;
  return domains
    .map(({ componentJid, secret, publicUrl }) => [
      `jid: ${componentJid}`,
      `secret: ${secret}    # = ${SECRET_SETTING[serverKind]}`,
      `server: 127.0.0.1:${componentPort}`,
      ...(isList && !localTrial ? [`public_url: ${publicUrl}`] : []),
    ])
    .flatMap((lines) => lines.map((line, index) => `  ${!isList ? '' : index === 0 ? '- ' : '  '}${line}`))
    .join('\n');
}

/** Returns the text of a new `porter.yml`. A test checks that `porter check` accepts it. */
export function formatPorterConfig(plan: InitPlan): string {
  const { serverKind, first, domains, dataFolder, localTrial } = plan;
  const { domain, componentJid, publicUrl } = first;
  const options = domains.map((one) => `--domain ${one.domain}`).join(' ');
  return `# Porter's config, written by: porter init --for ${serverKind} ${options}${componentJid === `upload.${domain}` ? '' : ` --component ${componentJid}`}
# All options with their defaults: docs/config.md. After a change: porter check, then reload (SIGHUP) or restart.

# Address for HTTP.${localTrial ? '' : ' The web server in front does TLS and forwards requests to this address.'}
listen: 127.0.0.1:${DEFAULT_HTTP_PORT}

# The URL at which clients reach Porter. ${domains.length > 1 ? 'Links begin with it, or with the public_url of their component.' : 'All links begin with it.'}${localTrial ? ' This one works on this machine only; use https for real users.' : ''}
public_url: ${publicUrl}

# Web servers whose X-Forwarded-For and X-Forwarded-Proto headers are used.
trusted_proxies: [127.0.0.0/8, "::1"]

# Storage. Relative paths are relative to the folder of this file.
storage:
  blobs: ${dataFolder}/blobs         # uploaded files
  ledger: ${dataFolder}/porter.db    # database: owners, uploads, quotas

# Connection to the XMPP server (XEP-0114).${domains.length > 1 ? ' Each domain has a component, and links on its own name.' : ''}
component:
${formatComponents(plan)}

# Upload limits by user. The first rule whose pattern matches the JID applies; without a match, uploads are denied.
access:
  - jid: '${domains.length > 1 ? '@{domain}$' : `@${domain.replaceAll('.', '\\.')}$`}'${domains.length > 1 ? '                                  # the users of all domains above' : ''}
    max_file_size: 100 MiB
    max_total_size: 1 GiB                               # all files of one user
    uploads_per: {period: 1h, uploads: 300}
    when_full: reject                                   # or evict: removes the user's oldest files
  # - jid: '^admin@${domain.replaceAll('.', '\\.')}$'   # no limits; must come before the rule above
  # - jid: '^alerts@${componentJid.replaceAll('.', '\\.')}$'   # for files in the messages below

# Limit for all users together.
# global_quota: 100 GiB

# How long files are kept.
retention:
  max_age: 30d
  sweep_every: 1h
  # For clients that send a purpose (XEP-0363 1.2.0), and for Movim by the file name:
  # purposes:
  #   profile: {max_age: never, max_file_size: 2 MiB, max_total_size: 20 MiB}
  #   ephemeral: {max_age: 7d}
  # name_prefixes: {story_: ephemeral}

# Messages from scripts and other programs: curl -H 'Authorization: Bearer …' -d 'Backup done' ${publicUrl}/msg/romeo@${domain}
# messages:
${localTrial ? '#   server: 127.0.0.1:5222                             # the XMPP server that accounts log in to\n' : ''}#   tokens:
#     - {token: a-long-random-text, from: alerts@${componentJid}, to: '@${domain.replaceAll('.', '\\.')}$'}
#   hooks:                                              # Grafana, GitHub, Alertmanager, …: docs/hooks.md
#     - {name: grafana, token: another-random-text, from: alerts@${componentJid}, to: romeo@${domain}}

# Metrics for Prometheus.
metrics:
  path: /metrics
  allow_from: [127.0.0.0/8, "::1"]
`;
}
