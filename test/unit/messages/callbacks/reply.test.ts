import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { interpretResponse, unreachableResult } from '../../../../src/messages/callbacks/reply.ts';
import { parseStanza } from '../../../../src/stanza/parse.ts';

const NOW = 1_800_000_000_000;
const FROM = 'romeo@example.org/garden';
const TO = 'bot@upload.example.org';
const to = `from='${FROM}' to='${TO}'`;
const letter = parseStanza(`<message ${to} id='m1' type='chat'><body>hi</body></message>`);
const asking = parseStanza(
  `<message ${to} id='m2' type='chat'><body>hi</body><request xmlns='urn:xmpp:receipts'/></message>`,
);
const iq = parseStanza(`<iq ${to} id='q1' type='get'><q xmlns='urn:example'/></iq>`);
const presence = parseStanza(`<presence ${to} type='subscribe' id='p1'/>`);
const inRoom = parseStanza(
  `<message from='room@muc.example.org/romeo' to='${TO}' type='groupchat'><body>hi</body></message>`,
);
const headline = parseStanza(`<message ${to} type='headline'><body>hi</body></message>`);
const error = parseStanza(`<message ${to} id='e1' type='error'><error type='cancel'/></message>`);

function answer(stanza: typeof letter, status: number, type = '', body: string | null = '', retry = '') {
  const headers: Record<string, string> = { 'content-type': type, 'retry-after': retry };
  return interpretResponse(stanza, { status, body, header: (name) => headers[name] || null }, NOW);
}
const replyTo = (...given: Parameters<typeof answer>) => answer(...given).reply;
const conditionOf = (...given: Parameters<typeof answer>) => {
  const element = replyTo(...given)?.getChild('error');
  return `${element?.attrs.type} ${element?.getChildElements()[0]?.name}`;
};
const JSON_TYPE = 'application/json; charset=utf-8';
const XML = 'application/xmpp+xml';

describe('The response of a callback', () => {
  test('202 and 204 mean success, and only an iq or a receipt request is answered', () => {
    for (const status of [202, 204]) {
      assert.equal(replyTo(letter, status), undefined);
      assert.equal(replyTo(presence, status), undefined);
      assert.deepEqual(replyTo(iq, status)?.attrs, { from: TO, to: FROM, type: 'result', id: 'q1' });
      const receipt = replyTo(asking, status);
      assert.equal(receipt?.getChild('received', 'urn:xmpp:receipts')?.attrs.id, 'm2');
      assert.deepEqual([receipt?.attrs.to, receipt?.attrs.type], [FROM, 'chat']);
    }
    assert.equal(replyTo(asking, 202, 'text/plain', 'not sent back')?.getChild('body'), undefined);
  });

  test('a stanza of the same kind is sent to the sender, whatever its addresses are', () => {
    const json = JSON.stringify({ kind: 'message', to: 'x@y', from: 'a@b', type: 'chat', body: 'yes' });
    const reply = replyTo(letter, 200, JSON_TYPE, json);
    assert.deepEqual([reply?.attrs.from, reply?.attrs.to, reply?.attrs.type], [TO, FROM, 'chat']);
    assert.equal(reply?.getChild('body')?.getText(), 'yes');
    assert.match(reply?.attrs.id ?? '', /^[0-9a-z]{26}$/);
    const own = replyTo(letter, 201, XML, "<message id='mine' xml:lang='de'><body>ja</body></message>");
    assert.deepEqual([own?.attrs.id, own?.attrs['xml:lang']], ['mine', 'de']);
    assert.equal(replyTo(presence, 200, XML, "<presence type='subscribed'/>")?.attrs.type, 'subscribed');
  });

  test('an iq is answered as a result under its id', () => {
    const reply = replyTo(iq, 200, XML, "<iq type='get' id='else'><q xmlns='urn:example'/></iq>");
    assert.deepEqual(reply?.attrs, { from: TO, to: FROM, type: 'result', id: 'q1' });
    assert.ok(reply?.getChild('q', 'urn:example'));
  });

  test('an error in the body is sent under the id of the stanza, also after a failure status', () => {
    const body = JSON.stringify({
      kind: 'message',
      type: 'error',
      error: { type: 'cancel', condition: 'gone' },
    });
    for (const status of [200, 404, 503]) {
      const reply = replyTo(letter, status, JSON_TYPE, body);
      assert.deepEqual([reply?.attrs.type, reply?.attrs.id], ['error', 'm1']);
      assert.equal(answer(letter, status, JSON_TYPE, body).mayRetry, false);
      assert.ok(reply?.getChild('error')?.getChild('gone'));
    }
  });

  test('a groupchat reply goes to the whole room', () => {
    const reply = replyTo(inRoom, 200, JSON_TYPE, JSON.stringify({ type: 'groupchat', body: 'hi all' }));
    assert.deepEqual([reply?.attrs.to, reply?.attrs.type], ['room@muc.example.org', 'groupchat']);
  });

  test('plain text and forms are messages too', () => {
    const text = replyTo(letter, 200, 'text/plain', 'a\u0000b');
    assert.deepEqual([text?.attrs.type, text?.getChild('body')?.getText()], ['chat', 'a\ufffdb']);
    const form = replyTo(letter, 200, 'application/x-www-form-urlencoded', 'body=a+b&type=normal');
    assert.equal(form?.getChild('body')?.getText(), 'a b');
    assert.equal(replyTo(iq, 200, 'text/plain', 'ok')?.getChildElements().length, 0);
  });

  test('a success with an unusable body counts as a success without a body', () => {
    const useless: [string, string | null][] = [
      ['text/html', '<p>ok'],
      [JSON_TYPE, '{"ok":true}'],
      [JSON_TYPE, '{'],
      [JSON_TYPE, '[]'],
      [XML, '<iq'],
      [XML, '<!DOCTYPE x><message/>'],
      [XML, "<iq type='result'/>"],
      ['text/plain', ''],
      ['text/plain', null],
    ];
    for (const [type, body] of useless) {
      assert.equal(replyTo(letter, 200, type, body), undefined, `${type} ${body}`);
      assert.ok(replyTo(asking, 200, type, body)?.getChild('received'), `${type} ${body}`);
    }
    assert.equal(replyTo(iq, 200, 'text/html', 'x')?.attrs.type, 'result');
  });

  test('a refusal becomes the matching stanza error at once', () => {
    const meanings: [number, string][] = [
      [400, 'modify bad-request'],
      [401, 'auth not-authorized'],
      [403, 'auth forbidden'],
      [404, 'cancel item-not-found'],
      [413, 'modify resource-constraint'],
      [418, 'modify bad-request'],
      [501, 'cancel feature-not-implemented'],
      [302, 'cancel undefined-condition'],
    ];
    for (const [status, meaning] of meanings) {
      assert.equal(conditionOf(letter, status), meaning);
      assert.equal(answer(letter, status).mayRetry, false, String(status));
    }
    assert.match(String(replyTo(letter, 403, 'text/plain', 'not you')), /not you/);
    assert.doesNotMatch(String(replyTo(letter, 403, 'text/html', '<h1>nginx')), /nginx/);
    assert.doesNotMatch(String(replyTo(letter, 404, JSON_TYPE, '{"message":"x"}')), /<body/);
  });

  test('a temporary failure is retried, at the time of Retry-After if given', () => {
    const wait: [number, string][] = [
      [429, 'wait policy-violation'],
      [500, 'cancel internal-server-error'],
      [503, 'wait service-unavailable'],
      [504, 'wait remote-server-timeout'],
    ];
    for (const [status, meaning] of wait) {
      assert.equal(answer(letter, status).mayRetry, true, String(status));
      assert.equal(conditionOf(letter, status), meaning);
    }
    assert.equal(answer(letter, 503, '', '', '120').retryAt, NOW + 120_000);
    assert.equal(answer(letter, 503, '', '', new Date(NOW + 5000).toUTCString()).retryAt, NOW + 5000);
    assert.equal(answer(letter, 503, '', '', 'soon').retryAt, undefined);
    assert.equal(unreachableResult(letter).mayRetry, true);
    assert.match(String(unreachableResult(iq).reply), /type="wait".*recipient-unavailable/);
  });

  test('errors and results get no reply, and rooms and headlines get no error', () => {
    const body = '<message><body>no</body></message>';
    for (const status of [200, 202, 404, 503]) assert.equal(replyTo(error, status, XML, body), undefined);
    assert.equal(unreachableResult(error).reply, undefined);
    for (const stanza of [inRoom, headline]) assert.equal(replyTo(stanza, 404), undefined);
    assert.ok(replyTo(presence, 404));
  });
});
