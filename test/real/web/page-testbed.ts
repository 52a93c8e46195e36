import type { Browser } from 'playwright-core';
import { httpRequest } from '../../support/http.ts';
import { needsSharp } from '../../support/pictures.ts';
import { buildTestProgram } from '../../support/test-program.ts';
import { openTab, type PageTab, type Screen, startPageBrowser } from '../peers/page-browser.ts';
import { startProsody } from '../peers/prosody.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const COMPONENT = 'upload.localhost';
export const HOOK_TOKEN = 'a-hook-of-some-length';
const SECRET = 'a secret of twenty characters';
export const USERS = ['romeo', 'juliet', 'mercutio'] as const;

/** A Porter with the built page beside a Prosody, and a browser. */
export interface PageTestbed {
  readonly porter: PorterProcess;
  /** With a slash at the end. */
  readonly pageUrl: string;
  login(user: (typeof USERS)[number]): Promise<SlixmppClient>;
  open(screen: Screen): Promise<PageTab>;
  stop(): Promise<void>;
}

/**
 * Starts the built program, with two workers, and everything around it. `publicUrl`: of the reverse proxy in front. `more`: options
 * to add to the config.
 */
export async function startPageTestbed(
  publicUrl?: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<PageTestbed> {
  const testbed: XmppTestbed = await createXmppTestbed();
  const server: XmppServer = await startProsody({
    components: [{ jid: COMPONENT, secret: SECRET }],
    tls: testbed.certificate,
  });
  for (const user of USERS) await server.register(user, PASSWORD);
  const port = await freePort();
  const porter = await startPorter({
    // Has the page.
    main: await buildTestProgram(),
    port,
    env: { NODE_EXTRA_CA_CERTS: testbed.certificate.cert },
    config: {
      workers: 2,
      public_url: publicUrl ?? `http://127.0.0.1:${port}`,
      component: { jid: COMPONENT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
      access: [{ jid: '@localhost$', max_total_size: '20 MB', max_file_size: '5 MB' }],
      retention: { trash: '7d', max_age: '30d' },
      thumbnails: needsSharp() === false,
      messages: {
        server: `localhost:${server.clientPort}`,
        answer_timeout: '60s',
        hooks: [
          {
            name: 'builds',
            token: HOOK_TOKEN,
            from: `builds@${COMPONENT}`,
            to: ['mercutio@localhost'],
            type: 'chat',
            format: 'forgejo',
          },
        ],
      },
      web: { admins: ['romeo@localhost'], moderators: ['mercutio@localhost'], title: 'Files of localhost' },
      ...more,
    },
  });
  await porter.program.waitFor(
    'the stream',
    async () => (await httpRequest(`${porter.url}/readyz`)).status === 200,
  );
  const browser: Browser = await startPageBrowser();
  return {
    porter,
    pageUrl: `${porter.url}/web/`,
    login: (user) => testbed.login(server, user),
    open: (screen) => openTab(browser, screen),
    async stop() {
      await browser.close();
      await porter.remove();
      await server.stop();
      await testbed.remove();
    },
  };
}
