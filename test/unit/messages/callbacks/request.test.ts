import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type CallbackRules,
  createFormatRequest,
  createStanzaRequest,
  parseAcceptedFormat,
} from '../../../../src/messages/callbacks/request.ts';
import { parseStanza } from '../../../../src/stanza/parse.ts';

const rules: CallbackRules = {
  url: 'https://example.org/in/{kind}/{type}?to={to}&from={from}',
  format: 'json',
  secret: null,
  stanzas: ['message'],
  timeout: 1000,
  keepTrying: 1000,
  maxWaiting: 9,
  maxSize: 1000,
};
const stanza = parseStanza(
  "<message from='römeo@example.org/a b&amp;c' to='bot@upload.example.org' xml:lang='de-AT'><body>hü</body></message>",
);
const request = (wish: Partial<CallbackRules> = {}, format: 'json' | 'xml' = 'json') =>
  createStanzaRequest({ ...rules, ...wish }, { stanza, format, delivery: 'd1', now: 1_700_000_000_999 });

describe('The request that posts a stanza', () => {
  test('has its placeholders filled in, percent-encoded', () => {
    assert.equal(
      request().url.href,
      'https://example.org/in/message/normal?to=bot%40upload.example.org&from=r%C3%B6meo%40example.org%2Fa%20b%26c',
    );
  });

  test('never leads to a path that the sender of the stanza chose', () => {
    for (const type of ['.', '..', '...', '%2e%2e', '%2E.', '/..', '../..', '\\..']) {
      for (const url of [
        'https://example.org/in/{type}',
        'https://example.org/in/{type}/x',
        'https://example.org/in/{type}{type}/x',
        'https://example.org/in/.{type}/x',
      ]) {
        const hostile = parseStanza('<message to="bot@upload.example.org"/>');
        hostile.attrs.type = type;
        const filled = createStanzaRequest(
          { ...rules, url },
          { stanza: hostile, format: 'json', delivery: 'd1', now: 1 },
        );
        assert.match(filled.url.pathname, /^\/in\/[^/]+(?:\/x)?$/, `${url} with ${type}`);
        assert.equal(
          filled.url.pathname.split('/').length,
          url.slice('https://example.org'.length).split('/').length,
        );
      }
    }
  });

  test('keeps the credentials and all other parts of the URL', () => {
    const { url } = request({ url: 'http://me:pw@127.0.0.1:8080/x?token=t' });
    assert.equal(url.href, 'http://me:pw@127.0.0.1:8080/x?token=t');
  });

  test('does not reveal the URL in the error if it becomes invalid', () => {
    const url = 'https://{from}.example.org/?token=secret';
    assert.throws(
      () => request({ url }),
      (error: Error) => !error.message.includes('secret'),
    );
  });

  test('contains the stanza as JSON or XML, and its language', () => {
    const json = request();
    assert.equal(json.headers['Content-Type'], 'application/json');
    assert.equal(json.headers['Content-Language'], 'de-AT');
    assert.deepEqual(JSON.parse(json.body ?? ''), {
      kind: 'message',
      from: 'römeo@example.org/a b&c',
      to: 'bot@upload.example.org',
      lang: 'de-AT',
      body: 'hü',
    });
    const asXml = request({}, 'xml');
    assert.equal(asXml.headers['Content-Type'], 'application/xmpp+xml');
    assert.equal(
      parseStanza(asXml.body ?? '')
        .getChild('body')
        ?.getText(),
      'hü',
    );
  });

  test('has an Accept header and a delivery id', () => {
    const { headers, method } = request();
    assert.equal(method, 'POST');
    assert.match(headers.Accept ?? '', /^application\/xmpp\+xml, application\/json, .*text\/plain$/);
    assert.equal(headers['X-Porter-Delivery'], 'd1');
  });

  test('is signed with the secret over time and body', () => {
    assert.equal(request().headers['X-Porter-Signature'], undefined);
    const { headers } = request({ secret: 'nightingale' });
    // printf '1700000000.BODY' | openssl dgst -sha256 -hmac nightingale
    assert.equal(
      headers['X-Porter-Signature'],
      't=1700000000,v1=61ff80386b4c75deb014665d8e8326f01a453e318f7238fe511e11fb59796c13',
    );
    // printf 'BODY' | openssl dgst -sha256 -hmac nightingale
    assert.equal(
      headers['X-Hub-Signature-256'],
      'sha256=0b8a3442de45780ef661cd23de96bc1602898af08b2e4d385501598c63d6ab05',
    );
  });
});

describe('The format of the receiver', () => {
  test('is requested by OPTIONS in the name of the component', () => {
    const { method, url, body, headers } = createFormatRequest(
      { ...rules, secret: 's' },
      'upload.example.org',
      0,
    );
    assert.equal(method, 'OPTIONS');
    assert.equal(url.href, 'https://example.org/in/meta/info?to=upload.example.org&from=upload.example.org');
    assert.equal(body, undefined);
    assert.match(headers['X-Porter-Signature'] ?? '', /^t=0,v1=[0-9a-f]{64}$/);
  });

  test('is the first supported format of its Accept header', () => {
    assert.equal(parseAcceptedFormat('application/json'), 'json');
    assert.equal(parseAcceptedFormat('text/html, Application/XMPP+XML;q=0.1, application/json'), 'xml');
    assert.equal(parseAcceptedFormat('*/*'), undefined);
  });
});
