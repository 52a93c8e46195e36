import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { sha256Hex } from '../../../src/base/ids.ts';
import { messageEndpoint } from '../../../src/http/messages/message-endpoint.ts';
import { shareEndpoint } from '../../../src/http/messages/share-endpoint.ts';
import { findUserToken } from '../../../src/messages/user-tokens.ts';
import { serveEndpoints } from '../../support/serve-endpoints.ts';
import { bearer, ROMEO, startTestMessageServer } from '../../support/test-message-server.ts';

const COMPONENT = 'upload.example.org';
const TOKENS = { message: 'porter_for_messages', share: 'porter_for_files', read: 'porter_to_read' } as const;

/** `/msg` and `/share` with tokens that Romeo has made on the web page. */
async function start(t: TestContext) {
  const server = await startTestMessageServer(t);
  const { ledger, clock } = server.services;
  const components = [{ jid: COMPONENT }] as never;
  server.changeRules({ components });
  for (const [name, scope] of [
    ['message', 'message'],
    ['share', 'share'],
    ['read', 'files:read'],
  ] as const) {
    const token = { id: name, secretHash: sha256Hex(TOKENS[name]), jid: ROMEO, name, scopes: [scope] };
    const times = { createdAt: clock(), lastUsedAt: null, expiresAt: null };
    await ledger.createToken({ token: { ...token, ...times }, limit: 9 });
  }
  const endpoint = {
    ...server.endpointDeps,
    findTokenOfUser: (token: string) => findUserToken(server.services, token),
  };
  const { request } = await serveEndpoints(t, endpoint, [
    messageEndpoint(endpoint, '/msg/'),
    shareEndpoint(endpoint, '/share/'),
  ]);
  const send = (method: string, path: string, token: string, body = 'hello') =>
    request(path, {
      method,
      body,
      headers: { Authorization: bearer(token), 'Content-Type': 'text/plain' },
    });
  return { ...server, send };
}

describe('a token of a user', () => {
  test('with the scope message sends to its user from the component, and to no other account', async (t) => {
    const { send, delivered } = await start(t);
    const sent = await send('POST', `/msg/${ROMEO}`, TOKENS.message);
    assert.equal(sent.status, 201, sent.text);
    assert.deepEqual(
      delivered.map(({ from, message }) => [from, message.attrs.to]),
      [[COMPONENT, ROMEO]],
    );
    const other = await send('POST', '/msg/juliet@example.org', TOKENS.message);
    assert.equal(other.status, 403, other.text);
    const pattern = await send('POST', '/msg/romeo@exampleXorg', TOKENS.message);
    assert.equal(pattern.status, 403, 'the address is no pattern');
    assert.equal(delivered.length, 1);
  });

  test('with the scope share stores files that are charged to its user', async (t) => {
    const { send, services } = await start(t);
    const shared = await send('PUT', '/share/a.txt', TOKENS.share);
    assert.equal(shared.status, 201, shared.text);
    const [file, ...more] = await services.ledger.listUploads({ limit: 9 });
    assert.deepEqual([file?.owner, file?.name, file?.size, more.length], [ROMEO, 'a.txt', 5, 0]);
  });

  test('does nothing beyond its scope, and nothing after it was revoked', async (t) => {
    const { send, services, delivered } = await start(t);
    for (const token of [TOKENS.share, TOKENS.read]) {
      assert.equal((await send('POST', `/msg/${ROMEO}`, token)).status, 403, token);
    }
    for (const token of [TOKENS.message, TOKENS.read]) {
      assert.equal((await send('PUT', '/share/a.txt', token)).status, 403, token);
    }
    await services.ledger.revokeToken({ jid: ROMEO, id: 'message' });
    await services.ledger.revokeToken({ jid: ROMEO, id: 'share' });
    assert.equal((await send('POST', `/msg/${ROMEO}`, TOKENS.message)).status, 401);
    assert.equal((await send('PUT', '/share/a.txt', TOKENS.share)).status, 401);
    assert.deepEqual([delivered, await services.ledger.listUploads({ limit: 9 })], [[], []]);
  });
});
