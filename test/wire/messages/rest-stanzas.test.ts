import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { startTestRestServer } from '../../support/test-rest-server.ts';
import { FORM_TYPE, JSON_TYPE, post, TEXT_TYPE, withoutId, XML_TYPE } from './rest-requests.ts';

describe('A stanza over HTTP', () => {
  const hello =
    '<message from="romeo@example.org/porter" to="juliet@example.org" type="chat"><body>Hi &amp; ü</body></message>';
  const calls: readonly [
    title: string,
    path: string,
    headers: Record<string, string>,
    body: string,
    stanza: string,
  ][] = [
    [
      'JSON',
      '/rest',
      JSON_TYPE,
      '{"kind":"message","type":"chat","to":"juliet@example.org","body":"Hi & ü"}',
      hello,
    ],
    [
      'XML',
      '/rest',
      XML_TYPE,
      '<message type="chat" to="Juliet@Example.org"><body>Hi &amp; ü</body></message>',
      hello,
    ],
    [
      'XML of clients',
      '/rest/',
      XML_TYPE,
      '<message xmlns="jabber:client" type="chat" to="juliet@example.org"><body>Hi &amp; ü</body></message>\n',
      hello,
    ],
    ['a form', '/rest', FORM_TYPE, 'type=chat&to=juliet%40example.org&body=Hi+%26+%C3%BC', hello],
    ['text, with the path', '/rest/message/chat/juliet@example.org', TEXT_TYPE, 'Hi & ü', hello],
    ['text, with the path encoded', '/rest/message/chat/juliet%40example.org', TEXT_TYPE, 'Hi & ü', hello],
    [
      'a form, with the path',
      '/rest/message/chat/juliet@example.org',
      FORM_TYPE,
      'body=Hi+%26+%C3%BC',
      hello,
    ],
    [
      'JSON, with the recipient of the path taking precedence',
      '/rest/message/chat/juliet@example.org',
      JSON_TYPE,
      '{"kind":"iq","type":"x","to":"a@b","body":"Hi & ü"}',
      hello,
    ],
    [
      'XML, with the recipient of the path taking precedence',
      '/rest/message/chat/juliet@example.org',
      XML_TYPE,
      '<message to="a@b"><body>Hi &amp; ü</body></message>',
      hello,
    ],
    [
      'text alone, to oneself',
      '/rest',
      TEXT_TYPE,
      'Note',
      '<message from="romeo@example.org/porter" type="chat"><body>Note</body></message>',
    ],
    [
      'a form that is none, to oneself',
      '/rest',
      FORM_TYPE,
      'Note',
      '<message from="romeo@example.org/porter" type="chat"><body>Note</body></message>',
    ],
    [
      'no recipient in the path, to oneself',
      '/rest/message/normal/',
      TEXT_TYPE,
      'Note',
      '<message from="romeo@example.org/porter" type="normal"><body>Note</body></message>',
    ],
  ];
  for (const [title, path, headers, body, stanza] of calls) {
    test(`is sent and answered 202 without a body: ${title}`, async (t) => {
      const { request, sentStanzas } = await startTestRestServer(t);
      const reply = await request(path, post(headers, body));
      assert.deepEqual([reply.status, reply.text, reply.headers['content-length']], [202, '', '0']);
      assert.deepEqual(
        sentStanzas.map((one) => [one.method, withoutId(one.stanza)]),
        [['deliver', stanza]],
      );
    });
  }

  test('may be a presence', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    for (const [path, headers, body] of [
      ['/rest/presence/available/room@muc.example.org/me', TEXT_TYPE, 'away'],
      ['/rest', JSON_TYPE, '{"show":"away","to":"room@muc.example.org/me"}'],
      ['/rest', XML_TYPE, '<presence to="room@muc.example.org/me"><show>away</show></presence>'],
    ] as const) {
      assert.equal((await request(path, post(headers, body))).status, 202);
    }
    const stanza =
      '<presence from="romeo@example.org/porter" to="room@muc.example.org/me"><show>away</show></presence>';
    for (const one of sentStanzas) assert.deepEqual([one.method, withoutId(one.stanza)], ['send', stanza]);
    assert.equal(sentStanzas.length, 3);
  });

  test('keeps only the attributes of a stanza, and all its content', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    const inner = '<x xmlns="urn:x"><y/></x>';
    await request(
      '/rest',
      post(
        XML_TYPE,
        `<message to='a@example.org' id='1' xml:lang='de' type='normal' evil='1' xmlns:z='urn:z'>${inner}<z:a/></message>`,
      ),
    );
    assert.equal(
      sentStanzas[0]?.stanza,
      `<message from="romeo@example.org/porter" to="a@example.org" id="1" type="normal" xml:lang="de">${inner}<a xmlns="urn:z"/></message>`,
    );
  });

  test('waits for a bounce as long as requested', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    for (const query of ['', '?wait=0', '?wait=2s', '?wait=60s']) {
      await request(`/rest/message/chat/a@example.org${query}`, post(TEXT_TYPE, 'x'));
    }
    assert.deepEqual(
      sentStanzas.map((one) => one.options?.bounceWait),
      [500, 0, 2000, 60_000],
    );
    for (const wait of ['2h', 'soon', '']) {
      const reply = await request(`/rest/message/chat/a@example.org?wait=${wait}`, post(TEXT_TYPE, 'x'));
      assert.equal(reply.status, 400, wait);
    }
  });

  test('that bounces at once is answered with the bounce', async (t) => {
    const bounced = () =>
      Promise.reject(new Refusal('bounced', { condition: 'item-not-found', text: 'No such user.' }));
    const { request } = await startTestRestServer(t, { onSend: bounced });
    const reply = await request(
      '/rest',
      post(JSON_TYPE, '{"to":"no@example.org","id":"7","type":"chat","body":"x"}'),
    );
    assert.equal(reply.status, 200);
    assert.deepEqual(JSON.parse(reply.text), {
      kind: 'message',
      type: 'error',
      to: 'romeo@example.org/porter',
      from: 'no@example.org',
      id: '7',
      error: { type: 'cancel', condition: 'item-not-found', text: 'No such user.' },
    });
  });

  test("to a room uses the nick of the sender's earlier join", async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    const say = () => request('/rest/message/groupchat/room@muc.example.org', post(TEXT_TYPE, 'x'));
    await say();
    await request('/rest', post(JSON_TYPE, '{"kind":"presence","join":true,"to":"room@muc.example.org/R"}'));
    await say();
    await request(
      '/rest',
      post(JSON_TYPE, '{"kind":"presence","type":"unavailable","to":"room@muc.example.org/R"}'),
    );
    await say();
    const nicks = sentStanzas
      .filter(({ method }) => method === 'deliver')
      .map((one) => one.options?.room?.nick);
    assert.deepEqual(nicks, [undefined, 'R', undefined]);
  });

  for (const [code, status] of [
    ['unavailable', 503],
    ['no_answer', 504],
    ['server_refused', 502],
  ] as const) {
    test(`is answered ${status} if the XMPP server fails: ${code}`, async (t) => {
      const { request } = await startTestRestServer(t, { onSend: () => Promise.reject(new Refusal(code)) });
      assert.equal((await request('/rest/message/chat/a@example.org', post(TEXT_TYPE, 'x'))).status, status);
    });
  }
});

describe('The echo', () => {
  test('returns the stanza as it would be sent, and sends nothing', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    const given = '{"kind":"message","type":"chat","to":"Juliet@example.org","id":"1","body":"Hi","wat":1}';
    const reply = await request('/rest/echo', post(JSON_TYPE, given));
    assert.deepEqual(JSON.parse(reply.text), {
      kind: 'message',
      type: 'chat',
      to: 'juliet@example.org',
      from: 'romeo@example.org/porter',
      id: '1',
      body: 'Hi',
    });
    const asXml = await request('/rest/echo', post({ ...JSON_TYPE, accept: 'application/xmpp+xml' }, given));
    assert.match(asXml.text, /^<message .*><body>Hi<\/body><\/message>$/);
    assert.deepEqual(sentStanzas, []);
  });
});
