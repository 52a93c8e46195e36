import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ADMIN,
  bearer,
  cookieOf,
  JULIET,
  PASSWORD,
  ROMEO,
  sessionClient,
  startTestWebServer,
  type TestWebServer,
} from '../../support/test-web-server.ts';

const MINUTE = 60_000;

/** Asks for a sign-in link in a new browser. Returns its cookie and the code of the message. */
async function requestCode(server: TestWebServer, jid = ROMEO, cookie = '') {
  const headers = cookie === '' ? {} : { Cookie: cookie };
  const response = await server.call('requestSignInLink', { body: { jid }, headers });
  assert.equal(response.status, 202, response.text);
  const code = /([0-9a-z]{5}-[0-9a-z]{5})/.exec(server.messages.at(-1)?.body ?? '')?.[1] ?? '';
  return { browser: cookieOf(response), code, response };
}

describe('signing in by the password', () => {
  test('starts a session with a safe cookie', async (t) => {
    const server = await startTestWebServer(t);
    const response = await server.call('signIn', { body: { jid: 'Romeo@Example.org', password: PASSWORD } });
    assert.equal(response.status, 201);
    const [cookie = ''] = response.headers['set-cookie'] ?? [];
    assert.match(cookie, /^porter_session=[0-9a-z]{52}; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
    assert.doesNotMatch(cookie, /Path|Domain/, 'the browser binds it to the path of the API');
    const session = await server.ok<{ jid: string; role: string }>('getSession', {
      as: sessionClient(response),
    });
    assert.equal(session.jid, ROMEO, 'the account as its server has bound it');
    assert.equal(session.role, 'user');
    const behindTls = await server.call('signIn', {
      body: { jid: ROMEO, password: PASSWORD },
      headers: { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '192.0.2.1' },
    });
    assert.match(behindTls.headers['set-cookie']?.[0] ?? '', /; Secure$/);
  });

  test('is refused with a wrong password, and sets no cookie', async (t) => {
    const server = await startTestWebServer(t);
    const response = await server.call('signIn', { body: { jid: ROMEO, password: 'wrong' } });
    assert.equal(response.status, 401);
    assert.equal(response.headers['set-cookie'], undefined);
    server.setSettings({ signIn: ['link'] });
    const turnedOff = await server.call('signIn', { body: { jid: ROMEO, password: PASSWORD } });
    assert.equal(turnedOff.status, 403);
  });
});

describe('signing in by a link', () => {
  test('works once, with the code of the message, in the browser that asked', async (t) => {
    const server = await startTestWebServer(t, {
      settings: { linkBasesFor: () => ({ putBase: 'https://upload.example.org/porter', getBase: null }) },
    });
    const { browser, code, response } = await requestCode(server);
    assert.match(response.headers['set-cookie']?.[0] ?? '', /HttpOnly; SameSite=Strict$/);
    const [message] = server.messages;
    assert.equal(message?.to, ROMEO);
    const plain = code.replace('-', '');
    assert.match(
      message?.body ?? '',
      new RegExp(`https://upload.example.org/porter/web/#/sign-in/${plain}\\n`),
    );

    const elsewhere = await server.call('signIn', {
      body: { code },
      headers: { Cookie: 'porter_browser=abc' },
    });
    assert.equal(elsewhere.status, 401);
    assert.equal((await server.call('signIn', { body: { code } })).status, 401);
    const signedIn = await server.call('signIn', { body: { code: plain }, headers: { Cookie: browser } });
    assert.equal(signedIn.status, 201, signedIn.text);
    const again = await server.call('signIn', { body: { code }, headers: { Cookie: browser } });
    assert.equal(again.status, 401, 'a code works once');
  });

  test('is over after ten minutes, and after five wrong codes', async (t) => {
    const server = await startTestWebServer(t);
    const first = await requestCode(server);
    server.advance(10 * MINUTE);
    const late = await server.call('signIn', {
      body: { code: first.code },
      headers: { Cookie: first.browser },
    });
    assert.equal(late.status, 401);
    const second = await requestCode(server);
    const use = (code: string) =>
      server.call('signIn', { body: { code }, headers: { Cookie: second.browser } });
    for (let i = 0; i < 5; i += 1) assert.equal((await use('aaaaa-aaaaa')).status, 401);
    assert.equal((await use(second.code)).status, 401);
  });

  test('sends no more than a few messages to one account, and none to strangers', async (t) => {
    const server = await startTestWebServer(t);
    for (let i = 0; i < 3; i += 1) await requestCode(server);
    const refused = await server.call('requestSignInLink', { body: { jid: ROMEO } });
    assert.equal(refused.status, 429);
    assert.ok(refused.headers['retry-after']);
    await requestCode(server, JULIET);
    const stranger = await server.call('requestSignInLink', { body: { jid: 'a@elsewhere.example' } });
    assert.equal(stranger.status, 401);
    assert.equal(server.messages.length, 4);
    server.advance(11 * MINUTE);
    await requestCode(server);
  });

  test('never puts the host of the request into the message, which an attacker chooses', async (t) => {
    const server = await startTestWebServer(t);
    await server.call('requestSignInLink', { body: { jid: ROMEO }, headers: { Host: 'evil.example' } });
    const [message] = server.messages;
    assert.doesNotMatch(message?.body ?? '', /evil|http/);
    assert.match(message?.body ?? '', /[0-9a-z]{5}-[0-9a-z]{5}/);
  });
});

describe('a session', () => {
  test('ends after a week without use, and lasts while it is used', async (t) => {
    const server = await startTestWebServer(t);
    const as = await server.signIn(ROMEO);
    for (let days = 0; days < 14; days += 6) {
      server.advance(6 * 24 * 60 * MINUTE);
      await server.ok('getSession', { as });
    }
    server.advance(7 * 24 * 60 * MINUTE);
    assert.equal((await server.call('getSession', { as })).status, 401);
  });

  test('ends by signing out, here or everywhere', async (t) => {
    const server = await startTestWebServer(t);
    const [one, two, three] = [
      await server.signIn(ROMEO),
      await server.signIn(ROMEO),
      await server.signIn(ROMEO),
    ];
    const juliet = await server.signIn(JULIET);
    const left = await server.call('signOut', { as: one });
    assert.match(left.headers['set-cookie']?.[0] ?? '', /^porter_session=; Max-Age=0/);
    assert.equal((await server.call('getSession', { as: one })).status, 401);
    const { sessions } = await server.ok<{ sessions: unknown[] }>('listSessions', { as: two });
    assert.equal(sessions.length, 2);
    await server.ok('signOutEverywhere', { as: two });
    for (const as of [two, three]) assert.equal((await server.call('getSession', { as })).status, 401);
    await server.ok('getSession', { as: juliet });
  });

  test('ends when the account may no longer sign in, and its role follows the config', async (t) => {
    const server = await startTestWebServer(t);
    const as = await server.signIn(ADMIN);
    server.setSettings({ admins: [] });
    assert.equal((await server.ok<{ role: string }>('getSession', { as })).role, 'user');
    server.setSettings({ maySignIn: () => false });
    assert.equal((await server.call('getSession', { as })).status, 401);
  });
});

describe('a token of a user', () => {
  test('is shown once, works with its scopes until it is revoked, and cannot make others', async (t) => {
    const server = await startTestWebServer(t);
    const as = await server.signIn(ROMEO);
    const body = { name: 'backup', scopes: ['files:read'] };
    const { id, token } = await server.ok<{ id: string; token: string }>('createToken', { as, body });
    const { tokens } = await server.ok<{ tokens: { name: string }[] }>('listTokens', { as });
    assert.equal(tokens[0]?.name, 'backup');
    assert.doesNotMatch(JSON.stringify(tokens), new RegExp(token));
    await server.ok('listFiles', { as: bearer(token) });
    assert.equal(
      (await server.call('createSlot', { as: bearer(token), body: { name: 'a', size: 1 } })).status,
      403,
    );
    assert.equal((await server.call('createToken', { as: bearer(token), body })).status, 403);
    const juliet = await server.signIn(JULIET);
    assert.equal((await server.call('revokeToken', { as: juliet, params: { id } })).status, 404);
    await server.ok('revokeToken', { as, params: { id } });
    assert.equal((await server.call('listFiles', { as: bearer(token) })).status, 401);
  });

  test('never has more rights than its owner, also later', async (t) => {
    const server = await startTestWebServer(t);
    const romeo = await server.signIn(ROMEO);
    const body = { name: 'x', scopes: ['admin'] };
    assert.equal((await server.call('createToken', { as: romeo, body })).status, 403);
    const admin = await server.signIn(ADMIN);
    const { token } = await server.ok<{ token: string }>('createToken', { as: admin, body });
    await server.ok('listAllFiles', { as: bearer(token) });
    server.setSettings({ admins: [] });
    assert.equal((await server.call('listAllFiles', { as: bearer(token) })).status, 403);
  });

  test('guesses of the admin token are slowed', async (t) => {
    const server = await startTestWebServer(t);
    const statuses = new Set<number>();
    for (let i = 0; i < 8; i += 1)
      statuses.add((await server.call('getStatus', { as: bearer(`guess-${i}`) })).status);
    assert.deepEqual([...statuses], [401, 429]);
  });
});
