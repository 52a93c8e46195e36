import type { Peer, Plan } from './init-plan.ts';
import { PORT } from './init-plan.ts';

interface Advice {
  /** Where the snippet goes. */
  readonly where: string;
  readonly snippet: (plan: Plan) => string;
  /** What else has to be done there. */
  readonly also: (plan: Plan) => readonly string[];
}

/** Lines for the XMPP server's own config, each with what it does. */
export function serverSnippet(plan: Plan): string {
  return advice[plan.peer].snippet(plan);
}

/** What `init` prints: the snippet, where it goes, and the next step. */
export function serverText(plan: Plan): string {
  const { where, also } = advice[plan.peer];
  const steps = [...also(plan), ...ownSteps(plan)];
  return [
    `${where}:`,
    '',
    serverSnippet(plan),
    'Then:',
    ...steps.map((step, place) => `  ${place + 1}. ${step}`),
  ].join('\n');
}

const advice: Record<Peer, Advice> = {
  prosody: {
    where: 'Put this at the end of /etc/prosody/prosody.cfg.lua',
    snippet: ({
      domain,
      component,
      secret,
    }) => `-- Porter connects as ${component}, by default to port 5347 of this machine.
Component "${component}"
    component_secret = "${secret}"

-- Users of ${domain} find it by its name. For users of any other VirtualHost, put this into their section:
--     disco_items = { { "${component}", "HTTP File Upload" } }
`,
    also: ({ component }) => [
      `take out any other Component "${component}", and http_file_share or http_upload if they are among modules_enabled`,
      'prosodyctl check config, then restart Prosody',
    ],
  },
  ejabberd: {
    where: 'Merge this into /etc/ejabberd/ejabberd.yml (one `listen:` and one `modules:` for all)',
    snippet: ({ component, secret, port }) => `listen:
  # where Porter connects: only from this machine
  - port: ${port}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    hosts:
      "${component}":
        password: "${secret}"

modules:
  mod_disco:
    # lets clients find it
    extra_domains:
      - "${component}"
`,
    also: ({ component }) => [
      `take out mod_http_upload if it is there: it would be ${component} itself`,
      'ejabberdctl restart',
    ],
  },
  component: {
    where: 'Tell your XMPP server of an external component (XEP-0114)',
    snippet: ({ domain, component, secret, port }) => `JID or host:  ${component}
secret:       ${secret}
port:         ${port} on 127.0.0.1
service discovery: list ${component} among the items of ${domain}, so that clients find it
`,
    also: () => ['restart it, or reload its config'],
  },
};

function ownSteps({ component, publicUrl, trial }: Plan): string[] {
  const run = 'porter check, then porter serve (in a checkout: npm run -s porter -- check, then npm start)';
  if (trial) return [run, 'log in with your client again, and send a picture'];
  return [
    `make ${component} known in DNS, and pass ${publicUrl} on to 127.0.0.1:${PORT} (contrib/ has nginx, Caddy and Apache)`,
    run,
    'log in with your client again, and send a picture',
  ];
}
