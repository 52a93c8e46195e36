import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import {
  ALERTS,
  alerts,
  basic,
  bearer,
  ROMEO,
  startTestMessageServer,
  TOKEN,
} from '../../support/test-message-server.ts';

const JULIET = 'juliet@example.org';
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('POST /msg/', () => {
  test('sends plain text to the recipient in the path and answers 201 without a body', async (t) => {
    const server = await startTestMessageServer(t);
    const reply = await server.post(`/msg/${JULIET}`, 'Server has crashed!');
    assert.equal(reply.status, 201);
    assert.equal(reply.text, '');
    assert.equal(reply.headers['content-length'], '0');
    const [{ message, options, from } = assert.fail()] = server.delivered;
    assert.equal(from, `${ROMEO}/porter`);
    assert.equal(message.attrs.to, JULIET);
    assert.equal(message.attrs.type, 'chat');
    assert.ok(message.attrs.id);
    assert.equal(message.getChild('body')?.getText(), 'Server has crashed!');
    assert.deepEqual(options, { bounceWait: 500, room: undefined });
  });

  test("completes a name without a host with the sender's domain, however the path is encoded", async (t) => {
    const server = await startTestMessageServer(t);
    for (const path of [
      'juliet',
      'juliet%40example.org',
      'Juliet@EXAMPLE.org',
      'juliet/balcony',
      'm%C3%BCller',
    ])
      assert.equal((await server.post(`/msg/${path}`, 'x')).status, 201, path);
    assert.deepEqual(
      server.delivered.map(({ message }) => message.attrs.to),
      [JULIET, JULIET, JULIET, `${JULIET}/balcony`, 'müller@example.org'],
    );
  });

  test('gives the same message for text, form and JSON, with any media type parameters', async (t) => {
    const server = await startTestMessageServer(t);
    await server.post('/msg/juliet?type=normal&subject=S&thread=T&lang=de', 'Grüße & <mehr>', {
      'Content-Type': 'text/plain; charset=utf-8',
    });
    const fields = {
      to: 'juliet',
      type: 'normal',
      subject: 'S',
      thread: 'T',
      lang: 'de',
      body: 'Grüße & <mehr>',
    };
    await server.post('/msg/', String(new URLSearchParams(fields)), {
      'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8',
    });
    await server.post('/msg', JSON.stringify(fields), { 'Content-Type': 'Application/JSON;charset=utf-8' });
    const texts = server.delivered.map(({ message }) => message.toString().replace(/ id="[^"]+"/, ''));
    assert.equal(texts.length, 3);
    assert.equal(new Set(texts).size, 1);
    assert.equal(
      texts[0],
      `<message type="normal" to="${JULIET}" xml:lang="de"><subject>S</subject><body>Grüße &amp; &lt;mehr&gt;</body><thread>T</thread></message>`,
    );
  });

  test('reads text in its charset, and the body of curl -d', async (t) => {
    const server = await startTestMessageServer(t);
    await server.post('/msg/juliet', Buffer.from('Gr\xfc\xdfe', 'latin1'), {
      'Content-Type': 'text/plain; charset=iso-8859-1',
    });
    await server.post('/msg/juliet', 'disk is full: 97%', FORM);
    assert.deepEqual(
      server.delivered.map(({ message }) => message.getChild('body')?.getText()),
      ['Grüße', 'disk is full: 97%'],
    );
    const latin = await server.post('/msg/juliet', Buffer.from('Gr\xfc\xdfe', 'latin1'));
    assert.equal(latin.status, 400);
    assert.match(latin.text, /not valid utf-8/);
  });

  test('refuses a recipient with control characters at once, and queues nothing', async (t) => {
    const server = await startTestMessageServer(t);
    server.changeRules({ tokens: [{ ...alerts, queue: true }] });
    for (const resource of ['%00', 'a%07b', '%0Ab', '%C2%85', '%C2%AD']) {
      const path = `/msg/juliet@example.org%2F${resource}`;
      const reply = await server.post(path, 'hello', { Authorization: bearer() });
      assert.equal(reply.status, 422, resource);
      assert.match(reply.text, /is not a valid JID: U\+00\w\w is not allowed/, resource);
    }
    assert.equal(await server.services.ledger.queueLength('outbox'), 0);
    assert.equal(server.delivered.length, 0);
  });

  test('writes once to each of several recipients, in a list or in repeated fields', async (t) => {
    const server = await startTestMessageServer(t);
    const reply = await server.post(
      '/msg/stranger',
      JSON.stringify({ to: ['juliet', 'nurse@example.org', JULIET], body: 'x' }),
      { ...JSON_TYPE, Accept: 'application/json' },
    );
    assert.equal(reply.status, 201);
    const { id, messages } = JSON.parse(reply.text);
    assert.deepEqual(
      messages.map(({ to, state }: Record<string, string>) => [to, state]),
      [
        [JULIET, 'sent'],
        ['nurse@example.org', 'sent'],
      ],
    );
    assert.deepEqual(
      server.delivered.map(({ message }) => message.attrs.id),
      messages.map((message: Record<string, string>) => message.id),
    );
    assert.equal(id, messages[0].id);
    await server.post('/msg/', 'to=juliet&to=nurse&body=y', FORM);
    assert.equal(server.delivered.length, 4);
  });

  test('never sends characters that XML forbids', async (t) => {
    const server = await startTestMessageServer(t);
    const text = '\u0000\u001b[31mred\ufffe \ud800 \u{1f600}\r\n]]>';
    await server.post('/msg/juliet', JSON.stringify({ body: text, subject: text, thread: text }), JSON_TYPE);
    const sent = server.delivered[0]?.message.toString() ?? '';
    assert.doesNotMatch(sent, /[^\t\n\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u);
    assert.equal(
      server.delivered[0]?.message.getChild('body')?.getText(),
      '\ufffd\ufffd[31mred\ufffd \ufffd \u{1f600}\n]]>',
    );
  });

  test('joins rooms with the given nick and password', async (t) => {
    const server = await startTestMessageServer(t);
    const room = { to: 'team@muc.example.org', type: 'groupchat', nick: 'Bot', password: 'p', body: 'x' };
    assert.equal((await server.post('/msg/', JSON.stringify(room), JSON_TYPE)).status, 201);
    assert.deepEqual(server.delivered[0]?.options.room, { nick: 'Bot', password: 'p' });
    const occupant = { ...room, to: 'team@muc.example.org/somebody' };
    assert.equal((await server.post('/msg/', JSON.stringify(occupant), JSON_TYPE)).status, 400);
  });

  test('waits for bounces as long as requested', async (t) => {
    const server = await startTestMessageServer(t);
    for (const wait of ['0', '250ms', '2s', '3']) await server.post(`/msg/juliet?wait=${wait}`, 'x');
    assert.deepEqual(
      server.delivered.map(({ options }) => options.bounceWait),
      [0, 250, 2000, 3000],
    );
    for (const wait of ['61s', 'long'])
      assert.equal((await server.post(`/msg/juliet?wait=${wait}`, 'x')).status, 400);
  });
});

describe('An invalid request', () => {
  test('gets a status and a reason in one line', async (t) => {
    const server = await startTestMessageServer(t);
    const json = (value: unknown) => JSON.stringify(value);
    const cases: [number, string, string, Record<string, string>][] = [
      [400, '/msg/juliet', '{', JSON_TYPE],
      [400, '/msg/juliet', '[]', JSON_TYPE],
      [400, '/msg/juliet', json({ body: 5 }), JSON_TYPE],
      [400, '/msg/juliet', json({ body: 'x', type: 'error' }), JSON_TYPE],
      [400, '/msg/juliet', json({ body: 'x', lang: 'a"b' }), JSON_TYPE],
      [400, '/msg/juliet', json({ body: 'x', html: '<br>' }), JSON_TYPE],
      [400, '/msg/%ff', 'x', {}],
      [400, '/msg/', json({ to: Array.from({ length: 101 }, (_, n) => `u${n}`), body: 'x' }), JSON_TYPE],
      [400, '/msg/juliet', 'x', { 'Idempotency-Key': 'a'.repeat(256) }],
      [400, '/msg/juliet', 'x', { 'Content-Type': 'multipart/form-data' }],
      [413, '/msg/juliet', 'x'.repeat(10_001), {}],
      [415, '/msg/juliet', '<message/>', { 'Content-Type': 'text/xml' }],
      [415, '/msg/juliet', 'x', { 'Content-Type': '' }],
      [415, '/msg/juliet', 'x', { 'Content-Type': 'text/plain; charset=klingon' }],
      [422, '/msg/', 'x', {}],
      [422, '/msg/@example.org', 'x', {}],
      [422, '/msg/', json({ to: [], body: 'x' }), JSON_TYPE],
      [422, '/msg/juliet', '', {}],
      [422, '/msg/juliet', 'subject=only', FORM],
    ];
    for (const [status, path, body, headers] of cases) {
      const reply = await server.post(path, body, headers);
      assert.equal(reply.status, status, `${path} ${body.slice(0, 40)} ${reply.text}`);
      assert.match(reply.text, /^[^\n]+\n$/);
      assert.equal(reply.headers['access-control-allow-origin'], '*');
    }
    assert.deepEqual(server.delivered, []);
  });

  test('gets the same as JSON if it accepts JSON', async (t) => {
    const server = await startTestMessageServer(t);
    const reply = await server.post('/msg/', 'x', { Accept: 'application/json' });
    assert.match(reply.headers['content-type'] ?? '', /^application\/problem\+json/);
    assert.equal(JSON.parse(reply.text).code, 'recipient_missing');
  });

  test('gets its response before most of its body has arrived', async (t) => {
    const server = await startTestMessageServer(t);
    const body = Buffer.alloc(3_000_000, 'x');
    const reply = await server.post('/msg/juliet', body);
    assert.equal(reply.status, 413);
    const stranger = await server.post('/msg/juliet', body, { Authorization: bearer('wrong') });
    assert.equal(stranger.status, 401);
  });

  test('with another method gets the allowed methods', async (t) => {
    const server = await startTestMessageServer(t);
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      const reply = await server.request('/msg/juliet', { method });
      assert.equal(reply.status, 405, method);
      assert.equal(reply.headers.allow, 'OPTIONS, POST');
    }
    const options = await server.request('/msg/juliet', { method: 'OPTIONS' });
    assert.equal(options.status, 200);
    assert.equal(options.headers.allow, 'OPTIONS, POST');
    assert.match(options.headers.accept ?? '', /application\/x-www-form-urlencoded.*application\/json/);
    assert.match(options.headers['access-control-allow-headers'] ?? '', /Idempotency-Key/);
  });
});

describe('A client', () => {
  test('must authenticate with valid credentials', async (t) => {
    const server = await startTestMessageServer(t);
    for (const authorization of [
      '',
      basic(ROMEO, 'wrong'),
      basic('romeo'),
      bearer('wrong'),
      'Digest x',
      'Basic ***',
    ]) {
      const reply = await server.post('/msg/juliet', 'x', { Authorization: authorization });
      assert.equal(reply.status, 401, authorization);
      assert.equal(
        reply.headers['www-authenticate'],
        'Basic realm="msg", charset="UTF-8", Bearer realm="msg"',
      );
    }
    assert.deepEqual(server.delivered, []);
  });

  test("with a token writes as the token's JID, to its recipients only", async (t) => {
    const server = await startTestMessageServer(t);
    const headers = { Authorization: bearer() };
    assert.equal((await server.post(`/msg/${JULIET}`, 'x', headers)).status, 201);
    assert.equal(server.delivered[0]?.from, ALERTS);
    const refused = await server.post(`/msg/tybalt@example.com`, 'x', headers);
    assert.equal(refused.status, 403);
    const mixed = JSON.stringify({ to: [JULIET, 'tybalt@example.com'], body: 'x' });
    assert.equal((await server.post('/msg/', mixed, { ...headers, ...JSON_TYPE })).status, 403);
    const short = await server.post('/msg/juliet', 'x', headers);
    assert.equal(short.status, 422);
    assert.match(short.text, /by its full address/);
    assert.equal(server.delivered.length, 1, 'of several recipients all must be allowed');
  });

  test('beyond its rate gets the time to retry', async (t) => {
    const server = await startTestMessageServer(t);
    server.changeRules({ tokens: [{ ...alerts, messages_per: { period: 60_000, messages: 2 } }] });
    const send = (to: unknown) =>
      server.post('/msg/', JSON.stringify({ to, body: 'x' }), { ...JSON_TYPE, Authorization: bearer() });
    assert.equal((await send([JULIET, 'nurse@example.org'])).status, 201);
    const over = await send(JULIET);
    assert.equal(over.status, 429);
    assert.ok(Number(over.headers['retry-after']) > 0);
    server.advance(61_000);
    assert.equal((await send(JULIET)).status, 201);
    server.onDeliver(() => undefined);
    assert.equal((await server.post('/msg/juliet', 'x')).status, 201, 'an account has no such limit');
  });

  test('that guesses passwords is slowed', async (t) => {
    const server = await startTestMessageServer(t);
    server.endpointDeps.senders.openAccountSender = async () => {
      throw new Refusal('too_many_attempts', { retryAt: server.services.clock() + 30_000 });
    };
    const reply = await server.post('/msg/juliet', 'x');
    assert.equal(reply.status, 429);
    assert.equal(reply.headers['retry-after'], '30');
  });
});

describe('The result of a message', () => {
  for (const [code, status] of [
    ['bounced', 502],
    ['server_refused', 502],
    ['unavailable', 503],
    ['no_answer', 504],
  ] as const) {
    test(`is returned: ${code} is ${status}`, async (t) => {
      const server = await startTestMessageServer(t);
      server.onDeliver(() => {
        throw new Refusal(code, { condition: 'item-not-found' });
      });
      const reply = await server.post('/msg/juliet', 'x', { Accept: 'application/json' });
      assert.equal(reply.status, status);
      const problem = JSON.parse(reply.text);
      assert.equal(problem.code, code);
      assert.equal(problem.condition, 'item-not-found');
      assert.equal(problem.messages[0].state, 'failed');
    });
  }

  test('is returned per recipient if some messages failed', async (t) => {
    const server = await startTestMessageServer(t);
    server.onDeliver(({ message }) => {
      if (message.attrs.to === 'tybalt@example.org')
        throw new Refusal('bounced', { text: 'Tybalt is dead.' });
    });
    const reply = await server.post(
      '/msg/',
      JSON.stringify({ to: ['juliet', 'tybalt'], body: 'x' }),
      JSON_TYPE,
    );
    assert.equal(reply.status, 502, 'never a 201 that is not true');
    assert.equal(reply.text, `${JULIET}: sent\ntybalt@example.org: Tybalt is dead.\n`);
  });

  test('is 500 after an internal error, which is logged', async (t) => {
    const server = await startTestMessageServer(t);
    server.onDeliver(() => {
      throw new Error('a bug');
    });
    const reply = await server.post('/msg/juliet', 'x');
    assert.equal(reply.status, 500);
    assert.doesNotMatch(reply.text, /a bug/);
  });
});

describe('An Idempotency-Key', () => {
  const key = (name: string) => ({ 'Idempotency-Key': name });

  test('gives a retry the first response, and nothing is sent twice', async (t) => {
    const server = await startTestMessageServer(t);
    const accept = { Accept: 'application/json' };
    const first = await server.post('/msg/juliet', 'x', { ...key('"k1"'), ...accept });
    const again = await server.post('/msg/juliet', 'x', { ...key('k1'), ...accept });
    assert.equal(again.status, 201);
    assert.equal(again.text, first.text);
    const asJson = await server.post('/msg/', JSON.stringify({ to: 'juliet', body: 'x' }), {
      ...JSON_TYPE,
      ...key('k1'),
    });
    assert.equal(asJson.status, 201, 'whatever form it comes in');
    assert.equal(server.delivered.length, 1);
  });

  test('is refused for another request, and separate for each sender', async (t) => {
    const server = await startTestMessageServer(t);
    await server.post(`/msg/${JULIET}`, 'x', key('k2'));
    assert.equal((await server.post(`/msg/${JULIET}`, 'y', key('k2'))).status, 422);
    assert.equal((await server.post('/msg/nurse', 'x', key('k2'))).status, 422);
    assert.equal(
      (await server.post(`/msg/${JULIET}`, 'y', { ...key('k2'), Authorization: bearer() })).status,
      201,
    );
    assert.equal(server.delivered.length, 2);
  });

  test('is separate for each account', async (t) => {
    const server = await startTestMessageServer(t);
    const send = (jid: string, body: string) =>
      server.post('/msg/nurse@example.org', body, { ...key('k'), Authorization: basic(jid) });
    assert.equal((await send(ROMEO, 'from Romeo')).status, 201);
    assert.equal((await send(JULIET, 'from Juliet')).status, 201);
    assert.deepEqual(
      server.delivered.map(({ from }) => from),
      [`${ROMEO}/porter`, `${JULIET}/porter`],
    );
  });

  test('is separate for each token, although both write as the same JID', async (t) => {
    const server = await startTestMessageServer(t);
    server.changeRules({ tokens: [alerts, { ...alerts, token: 'another-token-of-some-length' }] });
    const send = (token: string, body: string) =>
      server.post(`/msg/${JULIET}`, body, { ...key('k'), Authorization: bearer(token) });
    assert.equal((await send(TOKEN, 'x')).status, 201);
    assert.equal((await send('another-token-of-some-length', 'y')).status, 201);
    assert.equal((await send('another-token-of-some-length', 'y')).status, 201);
    assert.equal(server.delivered.length, 2);
  });

  test('gives 409 to the second request while the first is running', async (t) => {
    const server = await startTestMessageServer(t);
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    server.onDeliver(() => {
      begun.resolve();
      return go.promise;
    });
    const first = server.post('/msg/juliet', 'x', key('k3'));
    await begun.promise;
    assert.equal((await server.post('/msg/juliet', 'x', key('k3'))).status, 409);
    go.resolve();
    assert.equal((await first).status, 201);
  });

  test('can be used again after a certain failure, and is kept after an uncertain one', async (t) => {
    const server = await startTestMessageServer(t);
    let fault: 'unavailable' | 'no_answer' | undefined = 'unavailable';
    server.onDeliver(() => {
      if (fault) throw new Refusal(fault);
    });
    assert.equal((await server.post('/msg/juliet', 'x', key('k4'))).status, 503);
    fault = undefined;
    assert.equal((await server.post('/msg/juliet', 'x', key('k4'))).status, 201);
    fault = 'no_answer';
    assert.equal((await server.post('/msg/juliet', 'x', key('k5'))).status, 504);
    fault = undefined;
    assert.equal((await server.post('/msg/juliet', 'x', key('k5'))).status, 504);
    assert.equal(server.delivered.length, 3);
  });

  test('expires after a day', async (t) => {
    const server = await startTestMessageServer(t);
    await server.post('/msg/juliet', 'x', key('k6'));
    server.advance(24 * 3_600_000 + 1);
    await server.post('/msg/juliet', 'x', key('k6'));
    assert.equal(server.delivered.length, 2);
  });
});

describe('Messages of a token with queue', () => {
  const queued = { ...alerts, queue: true };
  const headers = { Authorization: bearer() };

  test('are queued while the server is unreachable, with 202, and stay in order', async (t) => {
    const server = await startTestMessageServer(t);
    server.changeRules({ tokens: [queued] });
    server.onDeliver(() => {
      throw new Refusal('unavailable');
    });
    const first = await server.post(`/msg/${JULIET}`, 'one', { ...headers, Accept: 'application/json' });
    assert.equal(first.status, 202);
    assert.equal(JSON.parse(first.text).messages[0].state, 'queued');
    server.onDeliver(() => undefined);
    assert.equal((await server.post(`/msg/${JULIET}`, 'two', headers)).status, 202);
    assert.equal((await server.post('/msg/nurse@example.org', 'three', headers)).status, 201);
    assert.equal(await server.services.ledger.queueLength('outbox'), 2);
    assert.equal(server.delivered.length, 2, 'the second was not even tried');
  });

  test('are refused when the queue is full', async (t) => {
    const server = await startTestMessageServer(t);
    server.changeRules({ tokens: [queued], maxWaiting: 1 });
    server.onDeliver(() => {
      throw new Refusal('unavailable');
    });
    assert.equal((await server.post(`/msg/${JULIET}`, 'one', headers)).status, 202);
    assert.equal((await server.post(`/msg/${JULIET}`, 'two', headers)).status, 503);
  });
});

test('the log contains no text, password or token', async (t) => {
  const server = await startTestMessageServer(t);
  const lines: string[] = [];
  for (const level of ['info', 'error', 'warn'] as const)
    server.endpointDeps.log[level] = ((...args: unknown[]) => void lines.push(JSON.stringify(args))) as never;
  await server.post('/msg/juliet', 'the-text', { 'Idempotency-Key': 'k' });
  await server.post(`/msg/${JULIET}`, 'the-text', { Authorization: bearer() });
  await server.post('/msg/juliet', 'the-text', { Authorization: basic(ROMEO, 'wrong-password') });
  assert.ok(lines.length >= 3);
  assert.doesNotMatch(lines.join('\n'), /the-text|wörd|wrong-password|a-token-of/);
});
