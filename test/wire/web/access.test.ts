import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allRoutes } from '../../../src/web/api/definitions.ts';
import { SCOPES } from '../../../src/web/api/route.ts';
import {
  ADMIN,
  ADMIN_TOKEN,
  anonymous,
  bearer,
  MODERATOR,
  ROMEO,
  startTestWebServer,
  type TestClient,
  type TestWebServer,
} from '../../support/test-web-server.ts';

/** Which clients may call a route with each access. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  public: [
    'anonymous',
    'user',
    'moderator',
    'admin',
    'admin token',
    ...SCOPES.flatMap((scope) => [`user ${scope}`, `admin ${scope}`]),
  ],
  session: ['user', 'moderator', 'admin'],
  'files:read': ['user', 'moderator', 'admin', 'user files:read', 'admin files:read'],
  'files:write': ['user', 'moderator', 'admin', 'user files:write', 'admin files:write'],
  share: ['user', 'moderator', 'admin', 'user share', 'admin share'],
  moderator: ['moderator', 'admin', 'admin admin', 'admin token'],
  admin: ['admin', 'admin admin', 'admin token'],
};

/** Routes that end the session of their caller. */
const LAST = new Set(['signOut', 'signOutEverywhere']);

async function createClients(server: TestWebServer): Promise<Map<string, TestClient>> {
  const clients = new Map<string, TestClient>([
    ['anonymous', anonymous],
    ['user', await server.signIn(ROMEO)],
    ['moderator', await server.signIn(MODERATOR)],
    ['admin', await server.signIn(ADMIN)],
    ['admin token', bearer(ADMIN_TOKEN)],
  ]);
  for (const [name, jid] of [
    ['user', ROMEO],
    ['admin', ADMIN],
  ] as const) {
    for (const scope of SCOPES) {
      // Made in the ledger, because a user cannot make a token with the scope admin.
      const secretHash = (await import('../../../src/base/ids.ts')).sha256Hex(`porter_${name}_${scope}`);
      const token = { id: `${name} ${scope}`, secretHash, jid, name: 'test', scopes: [scope] };
      const times = { createdAt: 0, lastUsedAt: null, expiresAt: null };
      await server.services.ledger.createToken({ token: { ...token, ...times }, limit: 99 });
      clients.set(`${name} ${scope}`, bearer(`porter_${name}_${scope}`));
    }
  }
  return clients;
}

describe('every route of the API', () => {
  test('may be called by the clients of its access, and by no others', async (t) => {
    const server = await startTestWebServer(t);
    const clients = await createClients(server);
    const routes = allRoutes.toSorted(([a], [b]) => Number(LAST.has(a)) - Number(LAST.has(b)));
    const wrong: string[] = [];
    for (const [id, { access, body, path }] of routes) {
      for (const [name, as] of clients) {
        const isLast = LAST.has(id) && ALLOWED[access]?.includes(name);
        if (isLast) continue;
        const { status, text } = await server.call(id, { as, ...(body && { body: {} }) });
        const { code = '' } = status >= 400 ? (JSON.parse(text) as Record<string, string>) : {};
        const isRefused =
          code === 'not_permitted' ||
          (code === 'unauthorized' && id !== 'getSession') ||
          code === 'csrf_wrong';
        const isAllowed = ALLOWED[access]?.includes(name) ?? false;
        if (isRefused === isAllowed) wrong.push(`${id} ${path} as ${name}: ${status} ${text}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  test('refuses changes with the cookie alone, which other sites could send', async (t) => {
    const server = await startTestWebServer(t);
    const admin = await server.signIn(ADMIN);
    const withoutToken = { headers: { Cookie: admin.headers.Cookie ?? '' } };
    const changing = allRoutes.filter(([, { method, access }]) => method !== 'GET' && access !== 'public');
    assert.ok(changing.length > 10);
    for (const [id, { body }] of changing) {
      for (const headers of [{}, { 'X-CSRF-Token': 'wrong' }]) {
        const { status, text } = await server.call(id, {
          as: withoutToken,
          headers,
          ...(body && { body: {} }),
        });
        assert.equal(status, 403, id);
        assert.match(text, /csrf_wrong/, id);
      }
    }
  });

  test('takes no form, which other sites could send without asking', async (t) => {
    const server = await startTestWebServer(t);
    const romeo = await server.signIn(ROMEO);
    for (const [id, { body }] of allRoutes) {
      if (body === undefined) continue;
      const headers = { 'Content-Type': 'text/plain' };
      const { status } = await server.call(id, { as: romeo, headers, body: {} });
      assert.ok(status === 415 || status === 403, `${id}: ${status}`);
    }
  });

  test('is answered with 404 if it does not exist, also for preflights of other sites', async (t) => {
    const server = await startTestWebServer(t);
    for (const method of ['GET', 'POST', 'OPTIONS', 'PUT']) {
      const response = await server.request('/web/api/v1/nothing', { method });
      assert.equal(response.status, 404, method);
      assert.equal(response.headers['access-control-allow-origin'], undefined, method);
    }
    const preflight = await server.request('/web/api/v1/session', { method: 'OPTIONS' });
    assert.equal(preflight.status, 404);
  });
});
