import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../../../src/base/json.ts';
import { stanzaFromJson, stanzaToJson } from '../../../../src/stanza/json/mapping.ts';
import { parseUrlencodedForm, toUrlencodedForm } from '../../../../src/stanza/json/urlencoded-form.ts';
import { parseStanza } from '../../../../src/stanza/parse.ts';

/** Characters that XML keeps unchanged. It turns a carriage return into a line feed (XML 1.0 §2.11). */
const text = fc
  .string({ unit: 'binary' })
  .map((given) => given.replaceAll(/[^\t\n\x20-\u{d7ff}\u{e000}-\u{fffd}]/gu, ''));
/** XML normalizes white space in attributes to spaces (§3.3.3). The parser of @xmpp/xml does not. */
const word = text.map((given) => given.replaceAll(/\s/g, ' '));
const some = word.filter((given) => given !== '');
const count = fc.nat();
const stamp = fc
  .date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })
  .map((date) => date.toISOString());
const yes = fc.constant(true);
const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const jid = fc.tuple(part, part, part).map(([local, domain, resource]) => `${local}@${domain}/${resource}`);

type Keys = Readonly<Record<string, fc.Arbitrary<unknown>>>;
const record = (keys: Keys) => fc.record(keys, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;
const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });

const lines = text.map((given) => given.replaceAll('\r', ''));
const field = fc.oneof(
  record({
    var: word,
    type: fc.constantFrom('text-single', 'hidden'),
    label: word,
    desc: text,
    required: yes,
    value: text,
  }),
  fc.record({ var: word, type: fc.constant('text-multi'), value: lines }),
  fc.record({ var: word, type: fc.constant('jid-multi'), value: fc.array(text, { maxLength: 3 }) }),
  fc.record({
    var: word,
    type: fc.constantFrom('list-multi'),
    value: fc.array(text, { maxLength: 3 }),
    options: fc.array(fc.record({ label: word, value: text }), { maxLength: 3 }),
  }),
);
const head = { type: fc.constantFrom('form', 'submit', 'result'), title: text, instructions: text };
const dataform = fc.record({ ...head, fields: fc.array(field, { maxLength: 3 }) });
const valuesForm = record({ ...head, fields: list(record({ var: word, type: word, values: list(text) })) });

/** JSON as a parser returns it: without negative zero. */
const anyJson = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
const rsm = record({ after: text, before: text, count, first: text, index: count, last: text, max: count });

const common = {
  delay: stamp,
  nick: text,
  payload: fc.record({ datatype: word, data: anyJson }),
  rsm,
  dataform,
};

const forwarded = record({
  delay: stamp,
  message: record({ type: fc.constantFrom('chat', 'normal'), to: jid, from: jid, id: word, body: text }),
});

const xhtml = some
  .map((given) => given.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'))
  .map((inner) => `<body><p style="x">${inner}</p><br/></body>`);

const message = record({
  ...common,
  body: text,
  subject: text,
  thread: record({ id: some, parent: word }),
  state: fc.constantFrom('active', 'inactive', 'gone', 'composing', 'paused'),
  html: xhtml,
  replace: word,
  reply: record({ id: word, to: word }),
  reactions: record({ id: word, reactions: list(text) }),
  markable: yes,
  displayed: word,
  attach_to: word,
  encryption: word,
  fallback: yes,
  forwarded,
  invite: record({ jid, reason: word, password: word, thread: word, continue: fc.boolean() }),
  occupant_id: word,
  stanza_ids: list(record({ id: word, by: jid })),
  reference: record({ type: word, uri: word, begin: count, end: count }),
  archive: record({ id: word, queryid: word, forward: forwarded }),
});

const presence = record({
  ...common,
  show: fc.constantFrom('away', 'chat', 'dnd', 'xa'),
  status: text,
  priority: fc.integer({ min: -128, max: 127 }),
  caps: record({ hash: word, node: word, ver: word, ext: word }),
  idle_since: stamp,
  muc: record({
    history: record({ maxchars: count, maxstanzas: count, seconds: count, since: stamp }),
    password: text,
  }),
  vcard_update: record({ photo: text }),
});

const answer = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.boolean(), fc.constant(null));
const features = fc.array(word, { maxLength: 3 });
const identities = list(fc.record({ category: word, type: word }));
const extensions = fc.dictionary(
  some,
  fc.dictionary(
    some.filter((name) => name !== 'FORM_TYPE'),
    answer,
  ),
  { minKeys: 1, maxKeys: 3 },
);

/** An iq has one payload. Two of these keys would be the same element. */
const iq = fc.oneof(
  fc.record({ ping: yes }),
  fc.record({ version: record({ name: text, version: text, os: text }) }),
  fc.record({
    disco: fc.oneof(
      yes,
      some,
      fc.record({ identities, features }),
      fc.record({ identities, features, extensions, node: word }),
    ),
  }),
  fc.record({ items: fc.oneof(yes, some, list(record({ jid, node: word, name: word }))) }),
  fc.record({
    command: record({
      node: word,
      action: word,
      sessionid: word,
      status: word,
      actions: record({ execute: word, prev: yes, next: yes, complete: yes }),
      note: record({ type: word, text: some }),
      form: dataform,
    }),
  }),
  fc.record({
    extdisco: record({
      type: word,
      services: list(
        record({ type: word, host: word, port: count, restricted: fc.boolean(), expires: stamp }),
      ),
    }),
  }),
  fc.record({ lastactivity: record({ seconds: count, status: some }) }),
  fc.record({ oob: record({ url: text, desc: text }) }),
  fc.record({ gateway: record({ desc: text, jid: text, prompt: text }) }),
  fc.record({
    register: record({ username: text, password: text, email: text, registered: yes, remove: yes }),
  }),
  fc.record({
    stats: fc.array(
      record({
        name: word,
        unit: word,
        value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n || 0),
      }),
    ),
  }),
  fc.record({ upload_request: record({ filename: word, size: count, 'content-type': word }) }),
  fc.record({
    upload_slot: record({
      get: record({ url: word }),
      put: record({ url: word, headers: list(record({ name: word, value: some })) }),
    }),
  }),
  fc.record({ archive: record({ queryid: word, form: valuesForm, page: rsm }) }),
  fc.record({ result: record({ page: rsm }) }),
);

const error = fc.record({
  type: fc.constantFrom('auth', 'cancel', 'continue', 'modify', 'wait'),
  condition: fc.constantFrom('forbidden', 'item-not-found', 'undefined-condition'),
  text,
  by: jid,
});

const addresses = record({ to: jid, id: word, lang: word });
const stanzas: readonly [string, fc.Arbitrary<JsonObject>][] = [
  ['message', withHead('message', fc.constantFrom('normal', 'chat', 'groupchat', 'headline'), message)],
  ['presence', withHead('presence', fc.constantFrom('available', 'unavailable', 'subscribe'), presence)],
  ['iq', withHead('iq', fc.constantFrom('get', 'set', 'result'), iq)],
  ['error', withHead('message', fc.constant('error'), fc.record({ error }))],
];

function withHead(
  kind: string,
  type: fc.Arbitrary<string>,
  content: fc.Arbitrary<unknown>,
): fc.Arbitrary<JsonObject> {
  return fc
    .tuple(fc.record({ kind: fc.constant(kind), type }), addresses, content)
    .map(([one, two, three]) => ({
      ...one,
      ...two,
      ...(three as JsonObject),
    }));
}

/** Objects of the generator have no prototype, those of a parser have one. */
const tidy = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

describe('JSON and XML', () => {
  for (const [kind, json] of stanzas) {
    test(`are equivalent for any ${kind}: JSON to XML, over the wire, and back`, () => {
      fc.assert(
        fc.property(json, (given) => {
          const read = stanzaToJson(parseStanza(stanzaFromJson(given).toString()));
          assert.deepEqual(tidy(read), tidy(given));
        }),
        { numRuns: 400 },
      );
    });

    test(`are equivalent for any ${kind}: XML to JSON and back`, () => {
      fc.assert(
        fc.property(json, (given) => {
          const stanza = stanzaFromJson(given).toString();
          assert.equal(stanzaFromJson(stanzaToJson(parseStanza(stanza))).toString(), stanza);
        }),
        { numRuns: 400 },
      );
    });
  }

  test('never end a stream, whatever an object contains', () => {
    fc.assert(
      fc.property(fc.object({ key: fc.constantFrom(...KEYS), maxDepth: 4 }), (given) => {
        let stanza: string;
        try {
          stanza = stanzaFromJson(given).toString();
        } catch (fault) {
          assert.equal((fault as Error).name, 'Refusal', String((fault as Error).stack));
          return;
        }
        assert.equal(parseStanza(stanza).name, stanza.slice(1).split(/[ />]/)[0]);
      }),
      { numRuns: 3000 },
    );
  });
});

const KEYS = (
  'kind type to from id lang body html state thread oob oob_url reactions forwarded message archive form fields var value ' +
  'disco items extensions identities features stats command actions payload data datatype error condition muc join rsm page'
).split(' ');

describe('A form', () => {
  test('keeps texts, numbers and true, and returns them as texts', () => {
    const flat = fc.dictionary(
      fc.stringMatching(/^[a-z_]{1,9}$/),
      fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.constant(true), fc.constant([])),
      { minKeys: 1 },
    );
    fc.assert(
      fc.property(flat, (given) => {
        const expected = Object.entries(given).flatMap(([key, value]) =>
          Array.isArray(value) ? [] : [[key, value === true ? '' : String(value)]],
        );
        assert.deepEqual(
          tidy(parseUrlencodedForm(toUrlencodedForm(given as JsonObject)) ?? {}),
          tidy(Object.fromEntries(expected)),
        );
      }),
    );
  });

  test('requires an equals sign', () => assert.equal(parseUrlencodedForm('just words'), undefined));

  test('creates the same stanza as JSON', () => {
    const form = parseUrlencodedForm(
      'to=a%40x&type=chat&body=gr%C3%BC%C3%9F+dich&oob_url=https%3A%2F%2Fx&markable=',
    );
    assert.equal(
      stanzaFromJson(form).toString(),
      '<message type="chat" to="a@x"><body>grüß dich</body><x xmlns="jabber:x:oob"><url>https://x</url></x>' +
        '<markable xmlns="urn:xmpp:chat-markers:0"/></message>',
    );
  });
});
