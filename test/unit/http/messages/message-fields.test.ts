import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '../../../../src/base/errors.ts';
import { parseForm, parseFormOrText } from '../../../../src/http/common/form-fields.ts';
import {
  MESSAGE_FIELDS,
  parseJsonFields,
  parseMessage,
} from '../../../../src/http/messages/message-fields.ts';

const NONE = new Map<string, string[]>();
const text = fc.string({ unit: 'binary', minLength: 1 }).map((one) => one.toWellFormed());
const message = fc.record(
  { to: text, body: text, subject: text, thread: text, nick: text },
  { requiredKeys: ['body'] },
);

/** Errors in the input must be a `Refusal`; any other error would be a 500. */
function refusesOnly(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
  }
}

describe('the fields of a message', () => {
  test('mean the same as a form and as JSON', () => {
    fc.assert(
      fc.property(message, (fields) => {
        const form = parseMessage(parseForm(String(new URLSearchParams(fields))), NONE, 'somebody');
        const json = parseMessage(parseJsonFields(JSON.stringify(fields)), NONE, 'somebody');
        assert.deepEqual(form, json);
        assert.deepEqual(form.to, [fields.to ?? 'somebody']);
      }),
    );
  });

  test('are parsed or refused, whatever they contain', () => {
    fc.assert(
      fc.property(fc.json(), (given) => refusesOnly(() => parseMessage(parseJsonFields(given), NONE, ''))),
    );
    fc.assert(fc.property(fc.string(), (given) => refusesOnly(() => parseJsonFields(given))));
    fc.assert(
      fc.property(fc.string(), fc.string(), (body, query) =>
        refusesOnly(() => parseMessage(parseFormOrText(body, MESSAGE_FIELDS), parseForm(query), '')),
      ),
    );
  });

  test('of the body win over the query, and the first of repeated ones counts', () => {
    const body = parseForm('body=a&body=b&subject=');
    const read = parseMessage(body, parseForm('body=c&subject=S&type=normal&password=p'), 'x');
    assert.equal(read.message.body, 'a');
    assert.equal(read.message.subject, 'S');
    assert.equal(read.message.type, 'normal');
    const room = parseMessage(parseForm('type=groupchat'), parseForm('password=p'), 'x').room;
    assert.equal(room?.password, undefined, 'a password has no place in a URL');
  });

  test('are the text itself if a form has no =', () => {
    for (const text of ['100% full & hot', 'CPU = 90%', 'a=b&c=d', 'x=%E4'])
      assert.deepEqual(parseFormOrText(text, MESSAGE_FIELDS).get('body'), [text]);
  });
});
