import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import { parseStanza } from '../../../src/stanza/parse.ts';
import { ROMEO, startTestRestServer } from '../../support/test-rest-server.ts';
import { JSON_TYPE, post } from './rest-requests.ts';

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
