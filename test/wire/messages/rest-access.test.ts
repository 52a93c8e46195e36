import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseStanza } from '../../../src/stanza/parse.ts';
import { COMPONENT, ROMEO, startTestRestServer, TOKEN } from '../../support/test-rest-server.ts';
import { BEARER, JSON_TYPE, post, TEXT_TYPE, XML_TYPE } from './rest-requests.ts';

describe('A client', () => {
  const body = '{"to":"juliet@example.org","body":"x"}';

  test('must authenticate, or gets 401 with both schemes', async (t) => {
    const { request } = await startTestRestServer(t);
    for (const path of ['/rest', '/rest/ping/example.org', '/rest/nonsense']) {
      const reply = await request(path, post({ 'content-type': 'application/json' }, 'not read'));
      assert.equal(reply.status, 401);
      assert.match(reply.headers['www-authenticate'] ?? '', /Basic realm="[^"]+".*Bearer realm="[^"]+"/);
    }
  });

  for (const [title, authorization] of [
    ['a wrong password', `Basic ${btoa('romeo@example.org:no')}`],
    ['a user without a domain', `Basic ${btoa('romeo:wherefore:art thou')}`],
    ['no password', `Basic ${btoa('romeo@example.org')}`],
    ['invalid base64', 'Basic %%%'],
    ['an unknown token', 'Bearer tok-2'],
    ['another scheme', 'Digest username="romeo"'],
    ["a wrong component's secret", `Basic ${btoa('upload.example.org:component secre')}`],
    ['a component that is not ours', `Basic ${btoa('other.example.org:component secret')}`],
  ] as const) {
    test(`gets 403 and no challenge for ${title}`, async (t) => {
      const { request, sentStanzas } = await startTestRestServer(t);
      const reply = await request('/rest', post({ ...JSON_TYPE, authorization }, body));
      assert.equal(reply.status, 403, reply.text);
      assert.equal(reply.headers['www-authenticate'], undefined);
      assert.deepEqual(sentStanzas, []);
    });
  }

  test('that guesses passwords gets 429', async (t) => {
    const { request } = await startTestRestServer(t);
    const reply = await request(
      '/rest',
      post({ ...JSON_TYPE, authorization: `Basic ${btoa('a@example.org:again')}` }, body),
    );
    assert.equal(reply.status, 429);
    assert.ok(Number(reply.headers['retry-after']) > 0);
  });

  test('that guesses the secret of a component finally gets 429, also for the right secret', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    const attempt = async (secret: string) => {
      const authorization = `Basic ${btoa(`upload.example.org:${secret}`)}`;
      return (await request('/rest', post({ ...JSON_TYPE, authorization }, body))).status;
    };
    const statuses = [];
    for (let i = 0; i < 10; i += 1) statuses.push(await attempt(`guess ${i}`));
    assert.deepEqual([statuses[0], statuses.at(-1)], [403, 429]);
    assert.equal(await attempt('component secret'), 429);
    assert.deepEqual(sentStanzas, []);
  });

  test('is authenticated before the body is read', async (t) => {
    const { request } = await startTestRestServer(t, { rules: { maxSize: 10 } });
    const wrong = { ...XML_TYPE, authorization: `Basic ${btoa('romeo@example.org:no')}` };
    assert.equal((await request('/rest', post(wrong, '<'.repeat(100)))).status, 403);
    assert.equal((await request('/rest', post(XML_TYPE, '<'.repeat(100)))).status, 413);
    assert.equal((await request('/rest', post(XML_TYPE, '<'))).status, 400);
  });

  const froms: readonly [
    title: string,
    authorization: string,
    from: string | undefined,
    status: number,
    by?: string,
  ][] = [
    ['an account', ROMEO, undefined, 202, 'romeo@example.org/porter'],
    ['an account, by its own JID', ROMEO, 'Romeo@example.org', 202, 'romeo@example.org/porter'],
    ['an account, by a resource', ROMEO, 'romeo@example.org/balcony', 202, 'romeo@example.org/porter'],
    ['an account, by another', ROMEO, 'juliet@example.org', 403],
    ['an account, by its domain', ROMEO, 'example.org', 403],
    ['a component', COMPONENT, undefined, 202, 'upload.example.org'],
    [
      'a component, by an address at it',
      COMPONENT,
      'bot@upload.example.org/x',
      202,
      'bot@upload.example.org/x',
    ],
    ['a component, by an address elsewhere', COMPONENT, 'bot@example.org', 403],
    ['a component, by a part of its domain', COMPONENT, 'x.upload.example.org', 403],
    ['a token', BEARER.authorization, undefined, 202, TOKEN.from],
    ['a token, by its JID', BEARER.authorization, TOKEN.from.toUpperCase(), 202, TOKEN.from],
    ['a token, by a resource', BEARER.authorization, `${TOKEN.from}/x`, 403],
    ['a token, by its component', BEARER.authorization, 'upload.example.org', 403],
    ['an account, by an invalid JID', ROMEO, 'a@b@c', 422],
  ];
  for (const [title, authorization, from, status, by] of froms) {
    test(`may send from ${from ?? 'the default address'}: ${title}: ${status}`, async (t) => {
      const { request, sentStanzas } = await startTestRestServer(t);
      const given = JSON.stringify({
        to: 'juliet@example.org',
        body: 'x',
        ...(from !== undefined && { from }),
      });
      const reply = await request('/rest', post({ ...JSON_TYPE, authorization }, given));
      assert.equal(reply.status, status, reply.text);
      assert.deepEqual(
        sentStanzas.map((one) => one.sender),
        by === undefined ? [] : [by],
      );
    });
  }

  test('with a token has its recipients and its rate limited', async (t) => {
    const { request } = await startTestRestServer(t, {
      rules: { tokens: [{ ...TOKEN, messages_per: { period: 1000, messages: 2 } }] },
      messagesLeft: 2,
    });
    const to = (jid: string) => request('/rest', post(BEARER, `{"to":"${jid}","body":"x"}`));
    assert.equal((await to('juliet@elsewhere.example')).status, 403);
    assert.equal((await request('/rest', post(BEARER, '{"body":"x"}'))).status, 403);
    assert.equal((await to('juliet@example.org')).status, 202);
    assert.equal((await to('juliet@example.org/x')).status, 202);
    assert.equal((await to('juliet@example.org')).status, 429);
  });

  test('at a component writes to itself without a recipient', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    await request('/rest', post({ ...TEXT_TYPE, authorization: COMPONENT }, 'x'));
    assert.equal(parseStanza(sentStanzas[0]?.stanza ?? '').attrs.to, 'upload.example.org');
  });
});

describe('The endpoint /rest', () => {
  test('lists the accepted methods and formats, and refuses others', async (t) => {
    const { request } = await startTestRestServer(t);
    const options = await request('/rest', { method: 'OPTIONS' });
    assert.equal(options.status, 200);
    assert.equal(options.headers.allow, 'GET, POST, OPTIONS');
    assert.match(options.headers.accept ?? '', /application\/json/);
    const headers = { authorization: ROMEO };
    for (const [method, path] of [
      ['PUT', '/rest'],
      ['DELETE', '/rest/x'],
      ['GET', '/rest'],
      ['GET', '/rest/'],
    ] as const) {
      const reply = await request(path, { method, headers });
      assert.equal(reply.status, 405, `${method} ${path}`);
    }
    assert.equal((await request('/restless', { method: 'POST', headers })).status, 404);
  });

  test('sends CORS headers with every response', async (t) => {
    const { request } = await startTestRestServer(t);
    const asked = {
      method: 'POST',
      headers: { authorization: ROMEO, 'content-type': 'application/json' },
      body: '{"to":"juliet@example.org","body":"x"}',
    };
    const replies = [
      await request('/rest', { method: 'OPTIONS' }),
      await request('/rest', asked),
      await request('/rest/echo', asked),
      await request('/rest', { method: 'POST' }),
    ];
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 202, 200, 401],
    );
    for (const { headers } of replies) {
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.match(headers['access-control-allow-methods'] ?? '', /POST/);
      assert.match(headers['access-control-allow-headers'] ?? '', /Authorization/);
    }
  });
});
