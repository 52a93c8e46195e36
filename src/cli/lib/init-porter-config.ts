import type { InitPlan, XmppServerKind } from './init-plan.ts';
import { DEFAULT_HTTP_PORT } from './init-plan.ts';

const SECRET_THERE: Record<XmppServerKind, string> = {
  prosody: 'component_secret in prosody.cfg.lua',
  ejabberd: 'password of this host in ejabberd.yml',
  component: 'secret of this component in the XMPP server',
};

/** The text of a new `porter.yml`. Held by a test to what `porter check` accepts. */
export function formatPorterConfig(plan: InitPlan): string {
  const { serverKind, domain, componentJid, secret, componentPort, publicUrl, localTrial } = plan;
  return `# Porter's config, made by: porter init --for ${serverKind} --domain ${domain}
# All options with their defaults: docs/config.md. After a change: porter check, then reload (SIGHUP) or restart.

# Where Porter takes HTTP.${localTrial ? '' : ' The web server in front of it does TLS and passes requests on to here.'}
listen: 127.0.0.1:${DEFAULT_HTTP_PORT}

# How clients reach Porter. Links are made of it.${localTrial ? ' Only good on this machine: https is meant for real use.' : ''}
public_url: ${publicUrl}

# Whose X-Forwarded-For and X-Forwarded-Proto headers count: the web server's.
trusted_proxies: [127.0.0.0/8, "::1"]

# Where things are kept; relative paths start at this file's folder.
storage:
  blobs: ./data/blobs         # the files
  ledger: ./data/porter.db    # who owns what

# The way to the XMPP server (XEP-0114).
component:
  jid: ${componentJid}
  secret: ${secret}    # = ${SECRET_THERE[serverKind]}
  server: 127.0.0.1:${componentPort}

# Who may upload how much. The first rule whose pattern is found in the JID decides; no match = no upload.
access:
  - jid: '@${domain.replaceAll('.', '\\.')}$'
    max_file_size: 100 MiB
    max_total_size: 1 GiB                               # all of one user's files together
    uploads_per: {period: 1h, uploads: 300}
    when_full: reject                                   # or evict: the oldest files make room
  # - jid: '^admin@${domain.replaceAll('.', '\\.')}$'   # no limits; must stand before the rule above

# All users together.
# global_quota: 100 GiB

# How long files are kept.
retention:
  max_age: 30d
  sweep_every: 1h
  # For clients that ask for a purpose (XEP-0363 1.2.0), and for Movim by the name of the file:
  # purposes:
  #   profile: {max_age: never, max_file_size: 2 MiB, max_total_size: 20 MiB}
  #   ephemeral: {max_age: 7d}
  # name_prefixes: {story_: ephemeral}

# Numbers for Prometheus.
metrics:
  path: /metrics
  allow_from: [127.0.0.0/8, "::1"]
`;
}
