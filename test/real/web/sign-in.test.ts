import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type HttpResponse, httpRequest } from '../../support/http.ts';
import { startInstances } from '../cluster/start-instances.ts';
import { needs } from '../peers/peers.ts';
import { startPostgres } from '../peers/postgres.ts';
import { startProsody } from '../peers/prosody.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const COMPONENT = 'upload.localhost';
const SECRET = 'a secret of twenty characters';
/** Enough new connections to reach both workers. */
const CONNECTIONS = 12;

/** Signs in to a Porter of two workers beside a real Prosody, with a real client that receives the link. */
describe('Signing in to the web page', { skip: needs('prosody', 'slixmpp') }, () => {
  let testbed: XmppTestbed;
  let server: XmppServer;
  let porter: PorterProcess;
  let juliet: SlixmppClient;
  let port: number;

  const start = (folder?: string) =>
    startPorter({
      port,
      ...(folder !== undefined && { folder }),
      env: { NODE_EXTRA_CA_CERTS: testbed.certificate.cert },
      config: {
        public_url: `http://127.0.0.1:${port}`,
        workers: 2,
        component: { jid: COMPONENT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
        access: [{ jid: '@localhost$' }],
        messages: { server: `localhost:${server.clientPort}`, answer_timeout: '60s' },
        web: { admins: ['romeo@localhost'] },
      },
    });
  const isReady = async () => (await httpRequest(`${porter.url}/readyz`)).status === 200;

  before(async () => {
    testbed = await createXmppTestbed();
    server = await startProsody({
      components: [{ jid: COMPONENT, secret: SECRET }],
      tls: testbed.certificate,
    });
    for (const user of ['romeo', 'juliet']) await server.register(user, PASSWORD);
    port = await freePort();
    porter = await start();
    await porter.program.waitFor('the stream', isReady);
    juliet = await testbed.login(server, 'juliet');
  });

  after(async () => {
    await juliet?.logout();
    await porter?.remove();
    await server?.stop();
    await testbed?.remove();
  });

  const post = (path: string, body: object, cookie?: string) =>
    httpRequest(`${porter.url}/web/api/v1/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', ...(cookie !== undefined && { Cookie: cookie }) },
    });
  const cookieOf = ({ headers }: HttpResponse) => headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  /** The accounts that both workers see behind this cookie. */
  const accountsOf = async (cookie: string) => {
    const answers = await Promise.all(
      Array.from({ length: CONNECTIONS }, () =>
        httpRequest(`${porter.url}/web/api/v1/session`, { headers: { Cookie: cookie } }),
      ),
    );
    return new Set(answers.map(({ status, text }) => (status === 200 ? JSON.parse(text).jid : status)));
  };

  test('works by the XMPP password, at both workers, and after a restart', async () => {
    const wrong = await post('session', { jid: 'romeo@localhost', password: 'wrong' });
    assert.equal(wrong.status, 401, wrong.text);
    const signedIn = await post('session', { jid: 'Romeo@localhost', password: PASSWORD });
    assert.equal(signedIn.status, 201, signedIn.text);
    assert.equal(JSON.parse(signedIn.text).role, 'admin');
    const cookie = cookieOf(signedIn);
    assert.deepEqual(await accountsOf(cookie), new Set(['romeo@localhost']));
    await porter.stop();
    porter = await start(porter.folder);
    await porter.program.waitFor('the stream', isReady);
    assert.deepEqual(await accountsOf(cookie), new Set(['romeo@localhost']));
  });

  test('works by a link that a real client receives, in the browser that asked', async () => {
    const asked = await post('sign-in-links', { jid: 'juliet@localhost', language: 'de' });
    assert.equal(asked.status, 202, asked.text);
    const { body, from } = await juliet.run<{ body: string; from: string }>('receive');
    assert.equal(from, COMPONENT);
    assert.match(body, /^Anmelden bei „Files“: http/);
    const code = /#\/sign-in\/([0-9a-z]{10})/.exec(body)?.[1] ?? '';
    const elsewhere = await post('session', { code }, `porter_browser=${'0'.repeat(52)}`);
    assert.equal(elsewhere.status, 401);
    const signedIn = await post('session', { code }, cookieOf(asked));
    assert.equal(signedIn.status, 201, signedIn.text);
    assert.deepEqual(await accountsOf(cookieOf(signedIn)), new Set(['juliet@localhost']));
  });

  test('is valid at every instance that shares the database, as are tokens and signing out', {
    skip: needs('postgresql'),
  }, async (t) => {
    const postgres = await startPostgres();
    t.after(() => postgres.remove());
    const instances = await startInstances({
      ledger: await postgres.createSchema(),
      env: { NODE_EXTRA_CA_CERTS: testbed.certificate.cert },
      config: {
        access: [{ jid: '@localhost$' }],
        messages: { server: `localhost:${server.clientPort}`, answer_timeout: '60s' },
        web: { sign_in: ['password'] },
      },
    });
    t.after(() => instances.remove());
    const [one, two] = instances.all as [PorterProcess, PorterProcess];
    const call = ({ url }: PorterProcess, method: string, path: string, headers = {}, body?: object) =>
      httpRequest(`${url}/web/api/v1/${path}`, {
        method,
        headers: { ...(body && { 'Content-Type': 'application/json' }), ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
    const login = { jid: 'juliet@localhost', password: PASSWORD };
    const signedIn = await call(one, 'POST', 'session', {}, login);
    assert.equal(signedIn.status, 201, signedIn.text);
    const { csrfToken } = JSON.parse(signedIn.text) as { csrfToken: string };
    const session = { Cookie: cookieOf(signedIn), 'X-CSRF-Token': csrfToken };
    assert.equal((await call(two, 'GET', 'session', session)).status, 200);
    const made = await call(two, 'POST', 'tokens', session, { name: 'script', scopes: ['files:read'] });
    assert.equal(made.status, 201, made.text);
    const token = { Authorization: `Bearer ${(JSON.parse(made.text) as { token: string }).token}` };
    assert.equal((await call(one, 'GET', 'files', token)).status, 200);
    assert.equal((await call(two, 'DELETE', 'sessions', session)).status, 204);
    await one.program.waitFor(
      'the end of the session',
      async () => (await call(one, 'GET', 'session', session)).status === 401,
    );
    assert.equal((await call(one, 'GET', 'files', token)).status, 200, 'a token is no session');
  });
});
