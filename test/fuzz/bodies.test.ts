import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { parseForm } from '../../src/http/common/form-fields.ts';
import { parseJsonText } from '../../src/http/common/read-body.ts';
import { parseJsonFields, parseMessage } from '../../src/http/messages/message-fields.ts';
import { readMultipart } from '../../src/http/messages/multipart-form.ts';
import { parseStanzaRequest } from '../../src/http/rest/stanza-request.ts';
import { parseSlotParameters, type SlotApiParameters } from '../../src/http/slots/slot-parameters.ts';
import { parseWebhookBody } from '../../src/http/webhooks/webhook-body.ts';
import { detectFormat, hookPrograms } from '../../src/messages/hooks/formats/registry.ts';
import { parseMediaType } from '../../src/policy/media-type.ts';
import { stanzaToJson } from '../../src/stanza/json/mapping.ts';
import { parseElement } from '../../src/stanza/parse.ts';
import { createTransfers } from '../../src/uploads/transfers.ts';
import { expectRefusal, fuzzTest } from './fuzz.ts';

const JSON_TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '0',
  '1e400',
  'null',
  'true',
  '\\u0000',
  '"__proto__":',
  '"a"',
  ' ',
];
const NO_FIELDS = { title: null, text: null, link: null, image: null, username: null };

const { memory } = createTransfers();

const bytes = (input: string) => Buffer.from(input, 'latin1');

function parseSlotBody(input: string): SlotApiParameters {
  return input.startsWith('{')
    ? (parseJsonText(input) as SlotApiParameters)
    : Object.fromEntries(new URLSearchParams(input));
}

async function readHook(input: string): Promise<string | undefined> {
  const { payload } = await parseWebhookBody(bytes(input), 'application/x-www-form-urlencoded');
  const event = { payload, header: () => undefined, query: () => undefined };
  detectFormat(event);
  const texts = Object.values(hookPrograms).map(
    ({ parse }) => parse(event, { resolved: 'show', fields: NO_FIELDS })?.text ?? '',
  );
  return texts.join('');
}

describe('a body of a request', () => {
  fuzzTest({
    name: 'slot-api',
    tokens: [...JSON_TOKENS, 'jid=', 'name=', 'size=', '&', '=', '%', '%00', 'a@b', '..%2F', '1'],
    async check(input) {
      const slot = await expectRefusal(() => parseSlotParameters(parseSlotBody(input)));
      if (slot === undefined) return;
      assert.ok(Number.isSafeInteger(slot.size) && slot.size > 0);
      assert.ok(typeof slot.jid === 'string' && typeof slot.name === 'string');
    },
  });

  fuzzTest({
    name: 'multipart',
    tokens: [
      '--x',
      '--',
      '\r\n',
      '\n',
      'Content-Disposition: form-data; ',
      'name="a"',
      'filename="b"',
      "filename*=utf-8''%00",
      'Content-Type: ',
      ';',
      '"',
      'text',
    ],
    async check(input) {
      const form = await expectRefusal(() =>
        readMultipart(
          Readable.from([bytes(input)], { objectMode: false }),
          'multipart/form-data; boundary=x',
          {
            maxTextBytes: 10_000,
            fileLimits: () => ({ file: null, total: null }),
            idleTimeoutMs: 60_000,
            memoryBudget: memory,
          },
        ),
      );
      for (const { name, type } of form?.files ?? []) {
        assert.equal(parseMediaType(type ?? 'a/b'), type ?? 'a/b');
        assert.notEqual(name, '');
      }
      await form?.discard();
    },
  });

  fuzzTest({
    name: 'stanza-xml',
    tokens: [
      '<',
      '>',
      '/',
      '<message>',
      '</message>',
      '<a',
      "b='c'",
      '<![CDATA[',
      ']]>',
      '&amp;',
      '&#x0;',
      '&b;',
      '<!DOCTYPE',
      '<?',
      '<!--',
      'xmlns:a=',
      ':',
    ],
    async check(input) {
      const stanza = await expectRefusal(() =>
        parseStanzaRequest({ contentType: 'application/xmpp+xml', body: bytes(input) }),
      );
      // Another parser reads an accepted stanza in the same way, and finds no part that XMPP forbids.
      if (stanza !== undefined) assert.equal(parseElement(stanza.toString()).toString(), stanza.toString());
    },
  });

  fuzzTest({
    name: 'stanza-json',
    tokens: [
      ...JSON_TOKENS,
      '"kind":',
      '"message"',
      '"iq"',
      '"to":',
      '"body":',
      '"type":',
      '"dataform":',
      '"disco":',
      '"payload":',
    ],
    async check(input) {
      const stanza = await expectRefusal(() =>
        parseStanzaRequest({ contentType: 'application/json', body: bytes(input) }),
      );
      if (stanza === undefined) return;
      const text = stanza.toString();
      if (/^[\t\n\r -~]*$/.test(text)) parseElement(text);
      stanzaToJson(stanza);
    },
  });

  fuzzTest({
    name: 'hook',
    tokens: [
      ...JSON_TOKENS,
      '"text":',
      '"alerts":',
      '"blocks":',
      '"attachments":',
      '"commits":',
      '"labels":',
      '"msg":',
      '"object_kind":"note",',
      '"object_attributes":',
      '"embeds":',
      '"sections":',
      '"eventType":',
      '"data":',
      'payload=',
    ],
    check: (input) => expectRefusal(() => readHook(input)),
  });

  test('that is a JSON or XML bomb is refused or read, without an internal error', async () => {
    const deep = (open: string, close: string, count = 50_000) =>
      `${open.repeat(count)}1${close.repeat(count)}`;
    const jsonBombs = [
      deep('[', ']'),
      deep('{"a":', '}'),
      deep('{"body":[', ']}'),
      `{"kind":"message","to":"a@b","body":${deep('[', ']')}}`,
      `{"text":${deep('{"text":', '}')},"attachments":${deep('[', ']')}}`,
      `{"alerts":${deep('[', ']')},"receiver":"a"}`,
      `{${Array.from({ length: 50_000 }, (_, at) => `"k${at}":1`).join(',')}}`,
      `{"kind":"message","to":"a@b","body":${'9'.repeat(200_000)}}`,
      `{"jid":"a@b","name":"a","size":${'9'.repeat(200_000)}}`,
      `{"a":1e${'9'.repeat(50_000)}}`,
    ];
    for (const text of jsonBombs) {
      await expectRefusal(() => parseStanzaRequest({ contentType: 'application/json', body: bytes(text) }));
      await expectRefusal(() => parseSlotParameters(parseSlotBody(text)));
      await expectRefusal(() => readHook(text));
      await expectRefusal(() => parseMessage(parseJsonFields(text), parseForm(''), 'a@b'));
    }
    const xmlBombs = [
      deep('<a>', '</a>'),
      `<message>${'<a/>'.repeat(100_000)}</message>`,
      `<message ${Array.from({ length: 60_000 }, (_, at) => `a${at}='1'`).join(' ')}/>`,
      '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><message>&b;</message>',
      '<!DOCTYPE m SYSTEM "file:///etc/passwd"><message/>',
      `<message>${'&amp;'.repeat(100_000)}</message>`,
      `<message>&#${'9'.repeat(100_000)};</message>`,
    ];
    for (const text of xmlBombs)
      await expectRefusal(() =>
        parseStanzaRequest({ contentType: 'application/xmpp+xml', body: bytes(text) }),
      );
  });
});
