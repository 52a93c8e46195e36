import type { InitPlan, XmppServerKind } from './init-plan.ts';
import { DEFAULT_HTTP_PORT } from './init-plan.ts';

interface Advice {
  /** Where the snippet goes. */
  readonly where: string;
  readonly snippet: (plan: InitPlan) => string;
  /** What else has to be done there. */
  readonly also: (plan: InitPlan) => readonly string[];
}

/** Lines for the XMPP server's own config, each with what it does. */
export function formatServerConfig(plan: InitPlan): string {
  return advice[plan.serverKind].snippet(plan);
}

/** What `init` prints: the snippet, where it goes, and the next step. */
export function formatServerInstructions(plan: InitPlan): string {
  const { where, also } = advice[plan.serverKind];
  const steps = [...also(plan), ...ownSteps(plan)];
  return [
    `${where}:`,
    '',
    formatServerConfig(plan),
    'Then:',
    ...steps.map((step, place) => `  ${place + 1}. ${step}`),
  ].join('\n');
}

const advice: Record<XmppServerKind, Advice> = {
  prosody: {
    where: 'Put this at the end of /etc/prosody/prosody.cfg.lua',
    snippet: ({
      domain,
      componentJid,
      secret,
    }) => `-- Porter connects as ${componentJid}, by default to port 5347 of this machine.
Component "${componentJid}"
    component_secret = "${secret}"

-- Users of ${domain} find it by its name. For users of any other VirtualHost, put this into their section:
--     disco_items = { { "${componentJid}", "HTTP File Upload" } }
`,
    also: ({ componentJid }) => [
      `take out any other Component "${componentJid}", and http_file_share or http_upload if they are among modules_enabled`,
      'prosodyctl check config, then restart Prosody',
    ],
  },
  ejabberd: {
    where: 'Merge this into /etc/ejabberd/ejabberd.yml (one `listen:` and one `modules:` for all)',
    snippet: ({ componentJid, secret, componentPort }) => `listen:
  # where Porter connects: only from this machine
  - port: ${componentPort}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    hosts:
      "${componentJid}":
        password: "${secret}"

modules:
  mod_disco:
    # lets clients find it
    extra_domains:
      - "${componentJid}"
`,
    also: ({ componentJid }) => [
      `take out mod_http_upload if it is there: it would be ${componentJid} itself`,
      'ejabberdctl restart',
    ],
  },
  component: {
    where: 'Tell your XMPP server of an external component (XEP-0114)',
    snippet: ({ domain, componentJid, secret, componentPort }) => `JID or host:  ${componentJid}
secret:       ${secret}
port:         ${componentPort} on 127.0.0.1
service discovery: list ${componentJid} among the items of ${domain}, so that clients find it
`,
    also: () => ['restart it, or reload its config'],
  },
};

function ownSteps({ componentJid, publicUrl, localTrial }: InitPlan): string[] {
  const run = 'porter check, then porter serve (in a checkout: npm run -s porter -- check, then npm start)';
  if (localTrial) return [run, 'log in with your client again, and send a picture'];
  return [
    `make ${componentJid} known in DNS, and pass ${publicUrl} on to 127.0.0.1:${DEFAULT_HTTP_PORT} (contrib/ has nginx, Caddy and Apache)`,
    run,
    'log in with your client again, and send a picture',
  ];
}
