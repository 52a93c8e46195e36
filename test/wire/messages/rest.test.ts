import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import { Refusal } from '../../../src/base/errors.ts';
import { parseStanza } from '../../../src/stanza/parse.ts';
import { COMPONENT, ROMEO, startTestRestServer, TOKEN } from '../../support/test-rest-server.ts';

const JSON_TYPE = { authorization: ROMEO, 'content-type': 'application/json' };
const XML_TYPE = { authorization: ROMEO, 'content-type': 'application/xmpp+xml' };
const TEXT_TYPE = { authorization: ROMEO, 'content-type': 'text/plain; charset=utf-8' };
const FORM_TYPE = { authorization: ROMEO, 'content-type': 'application/x-www-form-urlencoded' };
const BEARER = { authorization: `bearer ${TOKEN.token}`, 'content-type': 'application/json' };

/** Stanzas without an id get a random one. */
const withoutId = (stanza: string | undefined) => stanza?.replace(/ id="[0-9a-z]{26}"/, '');
const post = (headers: Record<string, string>, body: string | Buffer) => ({ method: 'POST', headers, body });

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

describe('An iq over HTTP', () => {
  const answer = (given: string) => (iq: ReturnType<typeof xml>) => {
    const stanza = parseStanza(given);
    Object.assign(stanza.attrs, { id: iq.attrs.id, from: iq.attrs.to, to: iq.attrs.from });
    return stanza;
  };

  const asked: readonly [path: string, inner: string, method?: string, body?: string][] = [
    ['/rest/ping/example.org', '<ping xmlns="urn:xmpp:ping"/>'],
    ['/rest/version/example.org', '<query xmlns="jabber:iq:version"/>'],
    ['/rest/disco/example.org', '<query xmlns="http://jabber.org/protocol/disco#info"/>'],
    [
      '/rest/disco/example.org?node=a%23b',
      '<query xmlns="http://jabber.org/protocol/disco#info" node="a#b"/>',
    ],
    ['/rest/items/example.org', '<query xmlns="http://jabber.org/protocol/disco#items"/>'],
    ['/rest/items/example.org?node=n', '<query xmlns="http://jabber.org/protocol/disco#items" node="n"/>'],
    ['/rest/lastactivity/example.org', '<query xmlns="jabber:iq:last"/>'],
    ['/rest/stats/example.org', '<query xmlns="http://jabber.org/protocol/stats"/>'],
    ['/rest/extdisco/example.org?type=stun', '<services xmlns="urn:xmpp:extdisco:2" type="stun"/>'],
    [
      '/rest/oob/example.org?url=https%3A%2F%2Fx',
      '<query xmlns="jabber:iq:oob"><url>https://x</url></query>',
    ],
    [
      '/rest/upload_request/example.org?filename=a+b.jpg&size=5',
      '<request xmlns="urn:xmpp:http:upload:0" filename="a b.jpg" size="5"/>',
    ],
    ['/rest/iq/version/example.org', '<query xmlns="jabber:iq:version"/>', 'POST', '{}'],
    ['/rest/iq/ping/example.org', '<ping xmlns="urn:xmpp:ping"/>', 'POST', 'null'],
    ['/rest/iq/get/example.org', '<ping xmlns="urn:xmpp:ping"/>', 'POST', '{"ping":true}'],
    ['/rest', '<ping xmlns="urn:xmpp:ping"/>', 'POST', '{"kind":"iq","to":"example.org","ping":true}'],
  ];
  for (const [path, inner, method = 'GET', body] of asked) {
    test(`is sent: ${method} ${path} ${body ?? ''}`, async (t) => {
      const { request, sentStanzas } = await startTestRestServer(t, { onIq: answer('<iq type="result"/>') });
      const headers = body === undefined ? { authorization: ROMEO, accept: 'application/json' } : JSON_TYPE;
      const reply = await request(path, { method, headers, ...(body !== undefined && { body }) });
      assert.equal(reply.status, 200, reply.text);
      assert.match(reply.headers['content-type'] ?? '', /^application\/json/);
      const { id, ...rest } = JSON.parse(reply.text);
      assert.deepEqual(rest, {
        kind: 'iq',
        type: 'result',
        to: 'romeo@example.org/porter',
        from: 'example.org',
      });
      const [iq] = sentStanzas;
      assert.equal(iq?.timeout, 120_000);
      assert.equal(
        iq.stanza,
        `<iq from="romeo@example.org/porter" to="example.org" type="get" id="${id}">${inner}</iq>`,
      );
    });
  }

  test('needs POST with a type and a body for anything else', async (t) => {
    const { request } = await startTestRestServer(t, { onIq: answer('<iq type="result"/>') });
    const reply = await request('/rest/iq/ping/example.org', {
      method: 'POST',
      headers: { authorization: ROMEO },
    });
    assert.equal(reply.status, 200);
  });

  test('is answered in the first format of Accept, else in the format of the request', async (t) => {
    const version = '<iq type="result"><query xmlns="jabber:iq:version"><name>P</name></query></iq>';
    const { request } = await startTestRestServer(t, { onIq: answer(version) });
    for (const [accept, expected, body] of [
      [
        undefined,
        'application/xmpp+xml',
        /^<iq type="result" id="\w+" from="example.org" to="[^"]+"><query xmlns="jabber:iq:version"><name>P<\/name><\/query><\/iq>$/,
      ],
      [
        'text/html, application/json;q=0.1, application/xmpp+xml',
        'application/json',
        /"version":\{"name":"P"\}/,
      ],
      [
        'application/x-www-form-urlencoded',
        'application/x-www-form-urlencoded',
        /^kind=iq&type=result&to=romeo/,
      ],
      ['*/*', 'application/xmpp+xml', /^<iq /],
    ] as const) {
      const headers = { authorization: ROMEO, ...(accept !== undefined && { accept }) };
      const reply = await request('/rest/version/example.org', { headers });
      assert.equal(reply.headers['content-type']?.split(';')[0], expected);
      assert.match(reply.text, body);
      assert.equal(reply.headers['content-length'], String(reply.body.length));
    }
    const json = { ...JSON_TYPE };
    const reply = await request('/rest', post(json, '{"to":"example.org","version":{}}'));
    assert.equal(reply.headers['content-type']?.split(';')[0], 'application/json');
  });

  test('with an error as its answer gets 200 and the error', async (t) => {
    const error =
      '<iq type="error"><error type="cancel"><service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>';
    const { request } = await startTestRestServer(t, { onIq: answer(error) });
    const reply = await request('/rest/ping/example.org', {
      headers: { authorization: ROMEO, accept: 'application/json' },
    });
    assert.equal(reply.status, 200);
    const { type, error: details } = JSON.parse(reply.text);
    assert.deepEqual([type, details], ['error', { type: 'cancel', condition: 'service-unavailable' }]);
  });

  test('without an answer gets 504 after the requested number of seconds', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t);
    const given = ['5', '1.5', '9999', 'soon', '', '-1'];
    for (const timeout of given) {
      const headers = { authorization: ROMEO, 'prosody-rest-timeout': timeout, accept: 'application/json' };
      const reply = await request('/rest/ping/example.org', { headers });
      assert.equal(reply.status, 504);
      assert.equal(JSON.parse(reply.text).error.condition, 'remote-server-timeout');
    }
    assert.deepEqual(
      sentStanzas.map(({ timeout }) => timeout),
      [5000, 1500, 300_000, 120_000, 120_000, 120_000],
    );
  });

  test('to an archive gets all its results, then the answer, and no other messages', async (t) => {
    const { request, sentStanzas } = await startTestRestServer(t, {
      async onIq(iq, hear) {
        const queryid = iq.getChild('query')?.attrs.queryid;
        const result = (id: string, attrs: object, query = queryid) =>
          xml(
            'message',
            { to: 'romeo@example.org/porter', ...attrs },
            xml('result', { xmlns: 'urn:xmpp:mam:2', id, queryid: query }),
          );
        assert.equal(hear(result('1', {})), true);
        assert.equal(hear(result('2', { from: 'romeo@example.org' })), true);
        assert.equal(hear(result('x', { from: 'mallory@evil.example' })), false);
        assert.equal(hear(result('y', {}, 'other')), false);
        assert.equal(hear(xml('message', {}, xml('body', {}, 'hi'))), false);
        return xml('iq', { type: 'result', id: iq.attrs.id }, xml('fin', { xmlns: 'urn:xmpp:mam:2' }));
      },
    });
    const headers = { authorization: ROMEO, accept: 'application/json' };
    const reply = await request('/rest/archive/?with=juliet@example.org&max=5&before=', { headers });
    const { xmpp } = JSON.parse(reply.text);
    assert.deepEqual(
      xmpp.map((one: Record<string, unknown>) => [
        one.kind,
        (one.archive as { id?: string } | undefined)?.id ?? one.result,
      ]),
      [
        ['message', '1'],
        ['message', '2'],
        ['iq', {}],
      ],
    );
    assert.match(
      sentStanzas[0]?.stanza ?? '',
      /^<iq from="[^"]*" type="set"[^>]*><query xmlns="urn:xmpp:mam:2" queryid="\w{26}"><x /,
    );
    const asXml = await request('/rest/archive/', { headers: { authorization: ROMEO } });
    assert.match(asXml.text, /^<xmpp><message .*<\/message><iq .*<\/iq><\/xmpp>$/);
  });
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

describe('A stanza that cannot be sent', () => {
  const accept = 'application/json';
  const bad: readonly [
    title: string,
    path: string,
    headers: Record<string, string>,
    body: string | Buffer,
    status: number,
    condition: string,
  ][] = [
    ['no XML', '/rest', XML_TYPE, 'hello', 400, 'not-well-formed'],
    ['XML that is not closed', '/rest', XML_TYPE, '<message><body></message>', 400, 'not-well-formed'],
    ['two stanzas', '/rest', XML_TYPE, '<message/><message/>', 400, 'not-well-formed'],
    ['an XML declaration', '/rest', XML_TYPE, '<?xml version="1.0"?><message/>', 400, 'not-well-formed'],
    [
      'entities',
      '/rest',
      XML_TYPE,
      `<!DOCTYPE m [<!ENTITY a "${'x'.repeat(99)}"><!ENTITY b "${'&a;'.repeat(99)}">]><message><body>&b;</body></message>`,
      400,
      'not-well-formed',
    ],
    ['an unknown entity', '/rest', XML_TYPE, '<message><body>&b;</body></message>', 400, 'not-well-formed'],
    [
      'depth',
      '/rest',
      XML_TYPE,
      `<message>${'<a>'.repeat(9000)}${'</a>'.repeat(9000)}</message>`,
      400,
      'not-well-formed',
    ],
    [
      'depth in JSON',
      '/rest',
      JSON_TYPE,
      `${'{"forwarded":{"message":'.repeat(3000)}{}${'}}'.repeat(3000)}`,
      400,
      'not-well-formed',
    ],
    [
      'depth that only XML has',
      '/rest',
      JSON_TYPE,
      `${'{"forwarded":{"message":'.repeat(32)}{"archive":{"forward":{"message":{}}}}${'}}'.repeat(32)}`,
      400,
      'not-well-formed',
    ],
    [
      'invalid UTF-8',
      '/rest',
      XML_TYPE,
      Buffer.from('<message><body>\xff</body></message>', 'latin1'),
      400,
      'not-well-formed',
    ],
    ['no JSON', '/rest', JSON_TYPE, '{', 400, 'not-well-formed'],
    ['no JSON at all', '/rest', JSON_TYPE, '', 400, 'not-well-formed'],
    ['a JSON list', '/rest', JSON_TYPE, '[{"body":"x"}]', 400, 'not-well-formed'],
    [
      'a JSON list, with the path',
      '/rest/message/chat/a@example.org',
      JSON_TYPE,
      '[]',
      400,
      'not-well-formed',
    ],
    ['an unknown kind', '/rest', JSON_TYPE, '{"kind":"meta"}', 400, 'not-well-formed'],
    ['an unknown kind in the path', '/rest/meta/x/a@example.org', JSON_TYPE, '{}', 400, 'not-well-formed'],
    ['a path that says too little', '/rest/message/chat', TEXT_TYPE, 'x', 400, 'not-well-formed'],
    ['a path that is none', '/rest/x/y/z', TEXT_TYPE, 'x', 400, 'not-well-formed'],
    ['text as an iq', '/rest/iq/get/a@example.org', TEXT_TYPE, 'x', 400, 'not-well-formed'],
    [
      'a form that is none, with the path',
      '/rest/message/chat/a@example.org',
      FORM_TYPE,
      'x',
      400,
      'not-well-formed',
    ],
    [
      'a path of another kind than the XML',
      '/rest/presence/available/a@example.org',
      XML_TYPE,
      '<message/>',
      400,
      'not-well-formed',
    ],
    ['another namespace', '/rest', XML_TYPE, '<message xmlns="urn:x"/>', 422, 'invalid-namespace'],
    ['another element', '/rest', XML_TYPE, '<body/>', 422, 'unsupported-stanza-type'],
    ['a recipient that is none', '/rest', XML_TYPE, '<message to="a@b@c"/>', 422, 'improper-addressing'],
    [
      'a recipient that is none, in the path',
      '/rest/message/chat/a@b@c',
      TEXT_TYPE,
      'x',
      422,
      'improper-addressing',
    ],
    ['a sender that is none', '/rest', XML_TYPE, '<message from="@"/>', 422, 'invalid-from'],
    ['an answer', '/rest', XML_TYPE, '<iq type="result" to="a@example.org"/>', 422, 'invalid-xml'],
    ['an iq of no type', '/rest', XML_TYPE, '<iq to="a@example.org"><x/></iq>', 422, 'invalid-xml'],
    ['an empty iq', '/rest', XML_TYPE, '<iq type="get" to="a@example.org"/>', 422, 'bad-format'],
    [
      'an iq with two things',
      '/rest',
      JSON_TYPE,
      '{"to":"a@example.org","ping":true,"version":{}}',
      422,
      'bad-format',
    ],
    ['an iq with an unknown key', '/rest/iq/wat/a@example.org', JSON_TYPE, '{}', 422, 'bad-format'],
    ['presence without a recipient', '/rest', JSON_TYPE, '{"show":"chat"}', 422, 'improper-addressing'],
    ['CBOR', '/rest', { ...XML_TYPE, 'content-type': 'application/cbor' }, 'x', 415, 'bad-format'],
    ['an invalid media type', '/rest', { ...XML_TYPE, 'content-type': '###' }, 'x', 415, 'bad-format'],
    ['no type', '/rest', { authorization: ROMEO }, 'x', 415, 'bad-format'],
    ['length', '/rest', TEXT_TYPE, 'x'.repeat(192 * 1024 + 1), 413, 'resource-constraint'],
  ];
  for (const [title, path, headers, body, status, condition] of bad) {
    test(`is answered ${status}, ${condition}: ${title}`, async (t) => {
      const { request, sentStanzas } = await startTestRestServer(t);
      const reply = await request(path, post({ ...headers, accept }, body));
      assert.equal(reply.status, status, reply.text);
      const { type, error, code } = JSON.parse(reply.text);
      assert.deepEqual([type, error.condition, code], ['error', condition, status]);
      assert.ok(error.type !== undefined && error.text.length > 10);
      assert.deepEqual(sentStanzas, []);
    });
  }

  test('is limited in size, chunked or not', async (t) => {
    const { request } = await startTestRestServer(t);
    const whole = 'x'.repeat(192 * 1024);
    const chunked = { ...TEXT_TYPE, 'transfer-encoding': 'chunked', accept };
    assert.equal((await request('/rest', post(TEXT_TYPE, whole))).status, 202);
    assert.equal((await request('/rest', post(chunked, whole))).status, 202);
    assert.equal((await request('/rest', post(chunked, `${whole}x`))).status, 413);
  });

  for (const [title, path] of [
    ['a path that is too short', '/rest/ping'],
    ['a query without a value', '/rest/disco/example.org?hello'],
  ] as const) {
    test(`is refused by GET with ${title}`, async (t) => {
      const { request } = await startTestRestServer(t);
      assert.equal((await request(path, { headers: { authorization: ROMEO } })).status, 400);
    });
  }

  test('is reported as XML, JSON or problem details, else as a line of text', async (t) => {
    const { request } = await startTestRestServer(t);
    const streams = 'urn:ietf:params:xml:ns:xmpp-streams';
    for (const [wanted, type, body] of [
      [undefined, 'text/plain', /^The body must be one of [^<]*\n$/],
      ['text/html, application/json', 'text/plain', /^The body/],
      [
        'application/json, text/html',
        'application/json',
        /^\{"type":"error","error":\{"type":"cancel","condition":"bad-format","text":"[^"]+"\},"code":415\}$/,
      ],
      [
        'application/xmpp+xml',
        'application/xmpp+xml',
        new RegExp(
          `^<error xmlns="http://etherx.jabber.org/streams"><bad-format xmlns="${streams}"/><text xmlns="${streams}">[^<]+</text></error>$`,
        ),
      ],
      ['application/problem+json', 'application/problem+json', /"status":415/],
    ] as const) {
      const headers = { authorization: ROMEO, ...(wanted !== undefined && { accept: wanted }) };
      const reply = await request('/rest', { method: 'POST', headers });
      assert.equal(reply.status, 415);
      assert.equal(reply.headers['content-type']?.split(';')[0], type);
      assert.match(reply.text, body);
      assert.equal(reply.headers['content-length'], String(reply.body.length));
    }
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
