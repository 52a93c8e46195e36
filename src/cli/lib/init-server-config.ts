import type { InitDomain, InitPlan, XmppServerKind } from './init-plan.ts';
import { DEFAULT_HTTP_PORT, isDirectSubdomain } from './init-plan.ts';

interface ServerGuide {
  /** A sentence that says where to put the snippet. */
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
    snippet: ({
      domains,
    }) => `-- Porter connects to ${domains.length > 1 ? 'these' : 'this'}, by default at port 5347 of this machine.
${domains.map(({ componentJid, secret }) => `Component "${componentJid}"\n    component_secret = "${secret}"\n`).join('\n')}
${prosodyItems(domains)}`,
    steps: ({ domains }) => [
      `remove any other ${listOf(domains.map(({ componentJid }) => `Component "${componentJid}"`))}, and http_file_share and http_upload from modules_enabled`,
      'prosodyctl check config, then restart Prosody',
    ],
  },
  ejabberd: {
    where: 'Merge this into /etc/ejabberd/ejabberd.yml (one `listen:` and one `modules:` for all)',
    snippet: ({ domains, componentPort }) => `listen:
  # port for Porter, open to this machine only
  - port: ${componentPort}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    # registers only the name of the component that has logged in
    global_routes: false
    hosts:
${domains.map(({ componentJid, secret }) => `      "${componentJid}":\n        password: "${secret}"`).join('\n')}

modules:
  mod_disco:
    # makes ${domains.length > 1 ? 'them' : 'it'} visible to clients
    extra_domains:
${domains.map(({ componentJid }) => `      - "${componentJid}"`).join('\n')}
`,
    steps: ({ domains }) => [
      `remove mod_http_upload if it is enabled: it uses the same ${domains.length > 1 ? 'names' : 'name'}, ${listOf(domains.map(({ componentJid }) => componentJid))}`,
      'ejabberdctl restart',
    ],
  },
  component: {
    where: 'Add an external component (XEP-0114) to your XMPP server',
    snippet: ({ domains, componentPort }) =>
      domains
        .map(
          ({ domain, componentJid, secret }) => `JID or host:  ${componentJid}
secret:       ${secret}
port:         ${componentPort} on 127.0.0.1
service discovery: list ${componentJid} among the items of ${domain}, so that clients can find it
`,
        )
        .join('\n'),
    steps: () => ['restart the XMPP server, or reload its config'],
  },
};

/** Returns the lines that list the components. Prosody lists a component by itself only under its direct parent domain. */
function prosodyItems(domains: readonly InitDomain[]): string {
  const [first] = domains;
  if (first === undefined) return '';
  const { domain, componentJid } = first;
  const items = `disco_items = { { "${componentJid}", "HTTP File Upload" } }`;
  if (domains.every(isDirectSubdomain)) {
    const names = listOf(domains.map((one) => one.domain));
    return `-- Clients of ${names} find ${domains.length > 1 ? 'them by their names' : 'it by its name'}. For any other VirtualHost, add this to its section:
--     ${items}
`;
  }
  return `-- Lets clients of ${domain} find it. If that host has disco_items already, add the entry there instead.
VirtualHost "${domain}"
    ${items}
`;
}

const listOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

function porterSteps({ domains, localTrial }: InitPlan): string[] {
  const run = 'porter check, then porter serve (in a checkout: npm run -s porter -- check, then npm start)';
  if (localTrial) return [run, 'log in again with your XMPP client, and send a picture'];
  return [
    `add ${listOf(domains.map(({ componentJid }) => componentJid))} to DNS, and forward ${listOf(domains.map(({ publicUrl }) => publicUrl))} to 127.0.0.1:${DEFAULT_HTTP_PORT} (contrib/ has examples for nginx, Caddy and Apache)`,
    run,
    'porter doctor, which tests the whole setup from outside',
    'log in again with your XMPP client, and send a picture',
  ];
}
