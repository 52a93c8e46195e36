import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import { Refusal } from '../../../../src/base/errors.ts';
import { stanzaFromJson, stanzaToJson } from '../../../../src/stanza/json/mapping.ts';
import { parseStanza } from '../../../../src/stanza/parse.ts';
import * as examples from './examples.ts';

const HEAD = { message: 'chat', presence: 'unavailable', iq: 'result' } as const;
const OF_ALL_KINDS = { message: examples.message, presence: examples.presence, iq: examples.iq };

/** Removes the white space that formats the examples. */
const read = (text: string) =>
  parseStanza(text.replaceAll(/>\n\s+</g, '><').replaceAll(/\n\s+(?=type=)/g, ' '));

for (const [kind, own] of Object.entries(OF_ALL_KINDS)) {
  const type = HEAD[kind as keyof typeof HEAD];
  const attributes = { type, to: 'juliet@x/balcony', from: 'romeo@x', id: '1', lang: 'de' };
  const head = `type="${type}" to="juliet@x/balcony" from="romeo@x" id="1" xml:lang="de"`;

  describe(`A ${kind}`, () => {
    for (const { title, json, xml: given, alsoRead } of [...own, ...examples.common]) {
      const stanza = read(`<${kind} ${head}>${given}</${kind}>`);
      test(`maps to JSON: ${title}`, () => {
        assert.deepEqual(stanzaToJson(stanza), { kind, ...attributes, ...json, ...alsoRead });
      });
      test(`is created from JSON: ${title}`, () => {
        const made = stanzaFromJson({ kind, ...attributes, ...json });
        assert.deepEqual(sorted(made.toString()), sorted(stanza.toString()));
        assert.equal(stanzaFromJson(stanzaToJson(made)).toString(), made.toString());
      });
    }
  });
}

/** The order of attributes has no meaning. */
function sorted(text: string): string {
  return text.replaceAll(/<[^<>/][^<>]*>/g, (tag) =>
    tag
      .replace(/\/?>$/, '')
      .split(/ (?=[\w:-]+=")/)
      .sort()
      .join(' '),
  );
}

describe('The stanza of an object', () => {
  for (const [title, json, expected] of [
    ['its kind', { kind: 'iq', ping: true }, '<iq type="get"><ping xmlns="urn:xmpp:ping"/></iq>'],
    ['its type', { type: 'groupchat' }, '<message type="groupchat"/>'],
    ['its type, of an iq', { type: 'result' }, '<iq type="result"/>'],
    ['its type, of a presence', { type: 'subscribed' }, '<presence type="subscribed"/>'],
    ['a key of a message', { body: 'hi' }, '<message><body>hi</body></message>'],
    ['a key of a presence', { show: 'away' }, '<presence><show>away</show></presence>'],
    ['a key of an iq', { version: {} }, '<iq type="get"><query xmlns="jabber:iq:version"/></iq>'],
    ['nothing else', { to: 'a@x' }, '<message to="a@x"/>'],
    ['available', { type: 'available' }, '<presence/>'],
    [
      'a command',
      { command: 'ping' },
      '<iq type="set"><command xmlns="http://jabber.org/protocol/commands" node="ping"/></iq>',
    ],
    ['a key that is false', { ping: false, body: 'b' }, '<message><body>b</body></message>'],
  ] as const) {
    test(`has its kind and type from ${title}`, () =>
      assert.equal(stanzaFromJson(json).toString(), expected));
  }

  test('is a complete archive query, also for a short one', () => {
    const archive = { with: 'j@x', start: '2024-01-01T00:00:00Z', ids: 'a,b', max: '5', before: '' };
    assert.equal(
      stanzaFromJson({ archive }).toString(),
      '<iq type="set"><query xmlns="urn:xmpp:mam:2"><x xmlns="jabber:x:data" type="submit">' +
        '<field var="FORM_TYPE" type="hidden"><value>urn:xmpp:mam:2</value></field>' +
        '<field var="with"><value>j@x</value></field><field var="start"><value>2024-01-01T00:00:00Z</value></field>' +
        '<field var="ids"><value>a</value><value>b</value></field></x>' +
        '<set xmlns="http://jabber.org/protocol/rsm"><before/><max>5</max></set></query></iq>',
    );
  });

  test('ignores unknown keys, null, and a sender without a recipient', () => {
    const given = { body: 'b', subject: null, wat: { a: 1 }, from: 'x@y', __proto__: null };
    assert.equal(stanzaFromJson(given).toString(), '<message><body>b</body></message>');
    assert.equal(stanzaFromJson({ ...given, to: 'a@x' }).attrs.from, 'x@y');
  });

  test('converts numbers to text and text to numbers as needed', () => {
    assert.equal(stanzaFromJson({ body: 42 }).toString(), '<message><body>42</body></message>');
    assert.equal(
      stanzaFromJson({ priority: '-5' }).toString(),
      '<presence><priority>-5</priority></presence>',
    );
  });

  test('accepts a short form', () => {
    const form = (data: string) => `<x xmlns="jabber:x:data" type="submit">${data}</x>`;
    assert.equal(
      stanzaFromJson({ formdata: { a: 'b', c: ['d', 'e'], f: true, g: 'h\ni' } }).toString(),
      `<message>${form(
        '<field var="a" type="text-single"><value>b</value></field>' +
          '<field var="c" type="list-multi"><value>d</value><value>e</value></field>' +
          '<field var="f" type="boolean"><value>1</value></field>' +
          '<field var="g" type="text-multi"><value>h</value><value>i</value></field>',
      )}</message>`,
    );
    assert.match(
      stanzaFromJson({ command: { node: 'n', data: { a: 'b' } } }).toString(),
      /<command [^>]*><x xmlns="jabber:x:data" type="submit">/,
    );
  });

  test('joins a room with join', () => {
    assert.equal(
      stanzaFromJson({ join: true, to: 'r@x/me' }).toString(),
      '<presence to="r@x/me"><x xmlns="http://jabber.org/protocol/muc"/></presence>',
    );
  });

  for (const [title, given, reason] of [
    ['a list', [], /object with keys/],
    ['nothing', {}, /object with keys/],
    ['null', null, /object with keys/],
    ['text', 'body', /object with keys/],
    ['another kind', { kind: 'meta' }, /kind/],
    ['a body that is none', { body: { a: 1 } }, /"body" must be text/],
    ['a body that is true', { body: true }, /"body" must be text/],
    ['a state that is none', { state: 'x><y' }, /"state" must be one of active/],
    ['a show that is none', { show: 'x' }, /"show" must be one of away/],
    ['a priority that is none', { priority: 1.5 }, /"priority" must be a whole number/],
    ['html that is no body', { html: '<p/>' }, /one <body>/],
    ['html that leaves its body', { html: '<body/></html><x/><html>' }, /"html"/],
    ['html that is not closed', { html: '<body>' }, /"html" is not well-formed/],
    ['html that brings entities', { html: '<body>&nbsp;</body>' }, /"html" is not well-formed/],
    ['an inner key of another kind', { oob: { url: [] } }, /"oob.url" must be text/],
    ['an item of another kind', { stanza_ids: ['a'] }, /"stanza_ids\[0\]" must be an object/],
    ['a payload without its type', { payload: { data: 1 } }, /"payload.datatype" is missing/],
    ['depth', JSON.parse(`${'{"body":'.repeat(500)}1${'}'.repeat(500)}`), /nested/],
    ['depth in lists', { payload: { data: JSON.parse('['.repeat(9e4) + ']'.repeat(9e4)) } }, /nested/],
  ] as const) {
    test(`is refused with a reason: ${title}`, () => {
      assert.throws(
        () => stanzaFromJson(given),
        (error) => error instanceof Refusal && error.code === 'bad_request' && reason.test(error.message),
      );
    });
  }

  test('never creates an element from an unknown key', () => {
    const error = { type: 'x', condition: '><evil/>', text: '</text><evil/>' };
    assert.equal(
      stanzaFromJson({ kind: 'message', type: 'error', error }).toString(),
      '<message type="error"><error type="cancel">' +
        '<undefined-condition xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/>' +
        '<text xmlns="urn:ietf:params:xml:ns:xmpp-stanzas">&lt;/text&gt;&lt;evil/&gt;</text></error></message>',
    );
  });
});

describe('An error', () => {
  const stanza =
    "<iq type='error' to='a@x' id='1'><error type='wait' by='x'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" +
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Later</text></error></iq>";
  const json = {
    kind: 'iq',
    type: 'error',
    to: 'a@x',
    id: '1',
    error: { type: 'wait', condition: 'resource-constraint', text: 'Later', by: 'x' },
  };

  test('is the same in JSON and XML', () => {
    assert.deepEqual(stanzaToJson(parseStanza(stanza)), json);
    assert.equal(sorted(stanzaFromJson(json).toString()), sorted(parseStanza(stanza).toString()));
  });

  test('sets the type of its stanza', () => {
    const { attrs } = stanzaFromJson({ kind: 'iq', type: 'get', error: { condition: 'forbidden' } });
    assert.equal(attrs.type, 'error');
  });

  test('without a condition gets undefined-condition', () => {
    const bare = "<message type='error'><error/></message>";
    assert.deepEqual(stanzaToJson(parseStanza(bare)).error, { condition: 'undefined-condition' });
  });
});

describe('A stanza as JSON', () => {
  test('has a type also if XMPP has none', () => {
    assert.deepEqual(stanzaToJson(xml('presence', { from: 'A@X' })), {
      kind: 'presence',
      type: 'available',
      from: 'a@x',
    });
  });

  test('omits parts without a key', () => {
    const stanza = parseStanza(
      "<message><body>b</body><x xmlns='urn:a'/><body xmlns='urn:b'>c</body></message>",
    );
    assert.deepEqual(stanzaToJson(stanza), { kind: 'message', body: 'b' });
  });

  test('is the same for all kinds of streams', () => {
    for (const xmlns of ['jabber:client', 'jabber:component:accept']) {
      const stanza = xml('message', { xmlns }, xml('body', {}, 'b'));
      assert.deepEqual(stanzaToJson(stanza), { kind: 'message', body: 'b' });
    }
  });

  test('is one of a list inside <xmpp/>', () => {
    const several = xml('xmpp', {}, xml('message', {}, xml('body', {}, 'b')), xml('iq', { type: 'result' }));
    assert.deepEqual(stanzaToJson(several), {
      xmpp: [
        { kind: 'message', body: 'b' },
        { kind: 'iq', type: 'result' },
      ],
    });
  });

  test('omits invalid and too deeply nested JSON payloads', () => {
    for (const data of ['{', '', '['.repeat(9e4) + ']'.repeat(9e4)]) {
      const payload = xml('payload', { xmlns: 'urn:xmpp:json-msg:0', datatype: 'd' }, data);
      assert.deepEqual(stanzaToJson(xml('message', {}, payload)).payload, { datatype: 'd' });
    }
  });

  test('is not created from other elements or from too deep nesting', () => {
    assert.throws(() => stanzaToJson(xml('stream')), Refusal);
    let deep = xml('a');
    for (let i = 0; i < 50_000; i += 1) deep = wrap('a', deep);
    assert.throws(() => stanzaToJson(wrap('message', deep)), Refusal);
  });
});

function wrap(name: string, inner: ReturnType<typeof xml>) {
  const outer = xml(name);
  outer.append(inner);
  return outer;
}
