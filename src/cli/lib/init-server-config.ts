import type { InitPlan, XmppServerKind } from './init-plan.ts';
import { DEFAULT_HTTP_PORT, isDirectSubdomain } from './init-plan.ts';

interface ServerGuide {
  /** Where the admin puts the snippet. */
  readonly where: string;
  readonly snippet: (plan: InitPlan) => string;
  /** More steps at the XMPP server. */
  readonly steps: (plan: InitPlan) => readonly string[];
}

/** Returns commented lines for the config of the XMPP server. */
export function formatServerConfig(plan: InitPlan): string {
  return guides[plan.serverKind].snippet(plan);
}

/** Returns the output of `init`: the snippet, where to put it, and the next steps. */
export function formatServerInstructions(plan: InitPlan): string {
  const { where, steps } = guides[plan.serverKind];
  const allSteps = [...steps(plan), ...porterSteps(plan)];
  return [
    `${where}:`,
    '',
    formatServerConfig(plan),
    'Then:',
    ...allSteps.map((step, index) => `  ${index + 1}. ${step}`),
  ].join('\n');
}

const guides: Record<XmppServerKind, ServerGuide> = {
  prosody: {
    where: 'Put this at the end of /etc/prosody/prosody.cfg.lua',
    snippet: (plan) => `-- Porter connects as ${plan.componentJid}, by default to port 5347 of this machine.
Component "${plan.componentJid}"
    component_secret = "${plan.secret}"

${prosodyItems(plan)}`,
    steps: ({ componentJid }) => [
      `remove any other Component "${componentJid}", and http_file_share and http_upload from modules_enabled`,
      'prosodyctl check config, then restart Prosody',
    ],
  },
  ejabberd: {
    where: 'Merge this into /etc/ejabberd/ejabberd.yml (one `listen:` and one `modules:` for all)',
    snippet: ({ componentJid, secret, componentPort }) => `listen:
  # port for Porter, open to this machine only
  - port: ${componentPort}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    # registers no other name than that of the component which has logged in
    global_routes: false
    hosts:
      "${componentJid}":
        password: "${secret}"

modules:
  mod_disco:
    # makes it visible to clients
    extra_domains:
      - "${componentJid}"
`,
    steps: ({ componentJid }) => [
      `remove mod_http_upload if it is enabled: it uses the same name, ${componentJid}`,
      'ejabberdctl restart',
    ],
  },
  component: {
    where: 'Add an external component (XEP-0114) to your XMPP server',
    snippet: ({ domain, componentJid, secret, componentPort }) => `JID or host:  ${componentJid}
secret:       ${secret}
port:         ${componentPort} on 127.0.0.1
service discovery: list ${componentJid} among the items of ${domain}, so that clients can find it
`,
    steps: () => ['restart the XMPP server, or reload its config'],
  },
};

/** Prosody lists a component only under its direct parent. */
function prosodyItems(plan: InitPlan): string {
  const { domain, componentJid } = plan;
  const items = `disco_items = { { "${componentJid}", "HTTP File Upload" } }`;
  if (isDirectSubdomain(plan)) {
    return `-- Clients of ${domain} find it by its name. For any other VirtualHost, add this to its section:
--     ${items}
`;
  }
  return `-- Lets clients of ${domain} find it. If that host has disco_items already, add the entry there instead.
VirtualHost "${domain}"
    ${items}
`;
}

function porterSteps({ componentJid, publicUrl, localTrial }: InitPlan): string[] {
  const run = 'porter check, then porter serve (in a checkout: npm run -s porter -- check, then npm start)';
  if (localTrial) return [run, 'log in again with your XMPP client, and send a picture'];
  return [
    `add ${componentJid} to DNS, and forward ${publicUrl} to 127.0.0.1:${DEFAULT_HTTP_PORT} (contrib/ has examples for nginx, Caddy and Apache)`,
    run,
    'log in again with your XMPP client, and send a picture',
  ];
}
