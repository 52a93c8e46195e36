import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ROMEO, startTestRestServer } from '../../support/test-rest-server.ts';
import { FORM_TYPE, JSON_TYPE, post, TEXT_TYPE, XML_TYPE } from './rest-requests.ts';

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
