import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Element } from '@xmpp/xml';
import { pino } from 'pino';
import { Refusal } from '../../../../src/base/errors.ts';
import type { Ledger } from '../../../../src/ledger/contract/ledger.ts';
import { openSqliteLedger } from '../../../../src/ledger/sqlite/open.ts';
import { type Callbacks, createCallbacks } from '../../../../src/messages/callbacks/callbacks.ts';
import { httpClient } from '../../../../src/messages/callbacks/http-client.ts';
import type { CallbackRules } from '../../../../src/messages/callbacks/request.ts';
import { parseStanza } from '../../../../src/stanza/parse.ts';
import { CallbackReceiver } from '../../../support/callback-receiver.ts';

const HOUR = 3_600_000;
const BOT = 'bot@upload.example.org';
const letter = (body: string, from = 'romeo@example.org/garden', more = '') =>
  parseStanza(
    `<message from='${from}' to='${BOT}' id='${body}' type='chat'>${more}<body>${body}</body></message>`,
  );
const iq = parseStanza(
  `<iq from='romeo@example.org/x' to='${BOT}' id='q' type='get'><q xmlns='urn:x'/></iq>`,
);

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await holds()); await sleep(5)) {
    assert.ok(Date.now() < deadline, 'it never came to that');
  }
}

describe('Callbacks', () => {
  let folder = '';
  let count = 0;
  let ledger: Ledger;
  let receiver: CallbackReceiver;
  let callbacks: Callbacks;
  let rules: CallbackRules | null;
  let ahead = 0;
  /** Stanzas sent back to XMPP, and the reaction of the stream. */
  let sent: Element[] = [];
  let stream: () => void = () => {};
  let speaks = true;
  let outcomes: string[] = [];
  let logged: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-callbacks-'));
  });
  after(() => rm(folder, { recursive: true }));
  beforeEach(async () => {
    count += 1;
    [ahead, sent, outcomes, logged] = [0, [], [], []];
    stream = () => {};
    speaks = true;
    ledger = await openSqliteLedger({ file: join(folder, `${count}.db`), sync: false });
    receiver = await CallbackReceiver.listen();
    rules = {
      url: `${receiver.url}{kind}?secret=nightingale`,
      format: 'json',
      secret: null,
      stanzas: ['message', 'iq'],
      timeout: 20_000,
      keepTrying: HOUR,
      maxWaiting: 100,
      maxSize: 1000,
    };
    callbacks = create();
    callbacks.start();
  });
  afterEach(async () => {
    await callbacks.stop(0);
    await receiver.stop();
    await ledger.close();
  });

  function create(instance = 'here'): Callbacks {
    return createCallbacks({
      ledger,
      instance,
      clock: () => Date.now() + ahead,
      random: () => 0,
      log: pino({ level: 'info' }, { write: (line: string) => void logged.push(line) }),
      metrics: { callbackAttempted: (outcome) => void outcomes.push(outcome) },
      senders: {
        componentSender: (jid) => ({
          jid,
          async sendStanza(stanza) {
            stream();
            sent.push(stanza);
          },
          deliver: () => Promise.reject(new Error('unused')),
          sendIq: () => Promise.reject(new Error('unused')),
        }),
      },
      isConnected: () => speaks,
      rules: () => rules,
      httpClient: httpClient,
      componentJid: 'upload.example.org',
    });
  }

  const bodies = () => receiver.posts.map(({ body }) => JSON.parse(body).body);
  const isEmpty = async () => (await ledger.queueLength('callback')) === 0;
  const take = async (stanza: Element) => assert.equal(await callbacks.onStanza(stanza), true);

  test('queue no more of one sender or one remote domain than its share, and still take those of others', async () => {
    rules = { ...(rules as CallbackRules), maxWaiting: 1000 };
    speaks = false;
    const from = (jid: string) =>
      parseStanza(`<message from='${jid}' to='bot.example.org' type='chat' id='1'><body>x</body></message>`);
    const isFull = (error: unknown) => error instanceof Refusal && error.code === 'queue_full';
    for (let count = 0; count < 100; count += 1) await take(from('a@evil.example/x'));
    await assert.rejects(async () => callbacks.onStanza(from('a@evil.example/y')), isFull);
    for (let count = 0; count < 150; count += 1) await take(from(`a${count}@evil.example`));
    await assert.rejects(async () => callbacks.onStanza(from('b@evil.example')), isFull);
    for (let count = 0; count < 300; count += 1) await take(from(`c${count}@example.org`));
    await take(from('d@other.example'));
  });

  test('queue the stanzas of one sender one after the other, beside those of others', async () => {
    const begun: string[] = [];
    const isFirstWritten = Promise.withResolvers<void>();
    const { enqueue } = ledger;
    ledger.enqueue = async (item) => {
      const { id } = parseStanza((JSON.parse(item.body) as { stanza: string }).stanza).attrs;
      begun.push(String(id));
      if (id === 'first') await isFirstWritten.promise;
      return await enqueue(item);
    };
    const writes = [letter('first'), letter('second', 'romeo@example.org/phone')].map(callbacks.onStanza);
    await callbacks.onStanza(letter('other', 'juliet@example.org/x'));
    assert.deepEqual(begun, ['first', 'other']);
    isFirstWritten.resolve();
    await Promise.all(writes);
    assert.deepEqual(begun, ['first', 'other', 'second']);
  });

  test('post stanzas and send the responses back', async () => {
    receiver.respond = () => ({
      status: 200,
      headers: { 'Content-Type': 'application/json' },
      body: '{"body":"yes","type":"chat"}',
    });
    await take(letter('really?'));
    await until(() => sent.length === 1);
    const [post] = receiver.posts;
    assert.equal(post?.path, '/message?secret=nightingale');
    assert.equal(JSON.parse(post?.body ?? '').from, 'romeo@example.org/garden');
    const [reply] = sent;
    assert.deepEqual(
      [reply?.attrs.to, reply?.getChild('body')?.getText()],
      ['romeo@example.org/garden', 'yes'],
    );
    await until(isEmpty);
    assert.deepEqual(outcomes, ['taken']);
  });

  test('ignore kinds of stanzas that are not configured', async () => {
    assert.equal(await callbacks.onStanza(parseStanza(`<presence from='a@b' to='${BOT}'/>`)), false);
    rules = null;
    assert.equal(await callbacks.onStanza(letter('x')), false);
    assert.equal(await ledger.queueLength('callback'), 0);
  });

  test('use the format that the receiver prefers, and ask for it only once', async () => {
    receiver.acceptHeader = 'application/xmpp+xml';
    await take(letter('one'));
    await take(letter('two'));
    await until(() => receiver.posts.length === 2);
    assert.match(receiver.posts[1]?.body ?? '', /^<message .*<body>two/);
    assert.deepEqual(
      receiver.received.map(({ method }) => method),
      ['OPTIONS', 'POST', 'POST'],
    );
    assert.match(receiver.received[0]?.path ?? '', /^\/meta/);
  });

  test('keep the order of a sender over all its devices while the receiver is unreachable, and lose nothing', async () => {
    await receiver.stop();
    for (let i = 0; i < 5; i += 1) {
      await Promise.all(
        ['garden', 'balcony'].map((at) => take(letter(`r${i}${at}`, `romeo@example.org/${at}`))),
      );
      await take(letter(`j${i}`, 'juliet@example.org/x'));
    }
    await until(() => outcomes.includes('failed'));
    await receiver.start();
    ahead += 10_000;
    await until(isEmpty);
    const of = (who: string) => bodies().filter((body) => body.startsWith(who));
    const numbers = [0, 1, 2, 3, 4];
    assert.deepEqual(
      of('r'),
      numbers.flatMap((i) => [`r${i}garden`, `r${i}balcony`]),
    );
    assert.deepEqual(
      of('j'),
      numbers.map((i) => `j${i}`),
    );
    assert.equal(logged.filter((line) => line.includes('check messages.callback_url')).length, 1);
    assert.doesNotMatch(logged.join(), /nightingale/);
  });

  test('continue after a restart, with the same delivery ids', async () => {
    receiver.respond = () => ({ status: 503, headers: { 'Retry-After': '30' } });
    await take(letter('one'));
    await take(letter('two'));
    await until(() => outcomes.length === 1);
    await callbacks.stop();
    callbacks = create('next');
    receiver.respond = () => ({ status: 204 });
    ahead += 30_000;
    callbacks.start();
    await until(isEmpty);
    assert.deepEqual(bodies(), ['one', 'one', 'two']);
    const [first, again, other] = receiver.posts.map(({ headers }) => headers['x-porter-delivery']);
    assert.equal(first, again);
    assert.notEqual(first, other);
  });

  test('return hanging stanzas to the queue when they stop, without counting an attempt', async () => {
    receiver.respond = () => new Promise(() => {});
    await take(letter('one'));
    await until(() => receiver.posts.length === 1);
    await callbacks.stop(0);
    const due = {
      queue: 'callback',
      now: Date.now() + HOUR,
      limit: 1,
      instance: 'x',
      takenUntil: 0,
    } as const;
    assert.equal((await ledger.takeDue(due))[0]?.attempts, 0);
    callbacks = create();
  });

  test('send an error for expired stanzas, and at once for refused ones', async () => {
    receiver.respond = () => ({ status: 500 });
    await take(letter('never'));
    await until(() => outcomes.length === 1);
    ahead += HOUR;
    await until(isEmpty);
    receiver.respond = () => ({ status: 403 });
    await take(letter('forbidden'));
    await until(isEmpty);
    assert.deepEqual(
      sent.map(({ attrs }) => [attrs.type, attrs.id]),
      [
        ['error', 'never'],
        ['error', 'forbidden'],
      ],
    );
    assert.match(String(sent[0]), /internal-server-error/);
    assert.deepEqual(outcomes, ['failed', 'failed', 'given_up', 'taken']);
  });

  test('refuse stanzas when the queue is full', async () => {
    await receiver.stop();
    if (rules) rules = { ...rules, maxWaiting: 2 };
    await take(letter('1'));
    await take(letter('2'));
    await assert.rejects(async () => callbacks.onStanza(letter('3')), { code: 'queue_full' });
  });

  test('post an iq at once and only once, and always answer it', async () => {
    const answers = ['application/xmpp+xml', 'text/html'].map((type) => ({
      status: type === 'text/html' ? 503 : 200,
      headers: { 'Content-Type': type },
      body: "<iq><q xmlns='urn:x'>42</q></iq>",
    }));
    receiver.respond = () => answers.shift() ?? { status: 202 };
    for (let i = 0; i < 3; i += 1) await take(iq);
    await receiver.stop();
    await take(iq);
    assert.deepEqual(
      sent.map(({ attrs }) => attrs.type),
      ['result', 'error', 'result', 'error'],
    );
    assert.equal(sent[0]?.getChild('q', 'urn:x')?.getText(), '42');
    assert.match(String(sent[3]), /recipient-unavailable/);
    assert.equal(await ledger.queueLength('callback'), 0);
  });

  test('post nothing while replies cannot be sent', async () => {
    speaks = false;
    await take(letter('x'));
    for (let i = 0; i < 20; i += 1) await sleep(5);
    assert.equal(receiver.received.length, 0);
    speaks = true;
    ahead += 5000;
    await until(isEmpty);
    assert.equal(receiver.posts.length, 1);
  });

  test('keep a reply until the stream is connected', async () => {
    let knocks = 0;
    stream = () => {
      knocks += 1;
      if (knocks === 1) throw new Refusal('unavailable');
      if (knocks === 2) throw new Refusal('busy');
    };
    receiver.respond = () => ({ status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'yes' });
    await take(letter('x'));
    for (const knock of [1, 2]) {
      await until(() => knocks === knock);
      ahead += 5000;
    }
    await until(isEmpty);
    assert.equal(sent.length, 1);
    const ids = receiver.posts.map(({ headers }) => headers['x-porter-delivery']);
    assert.deepEqual([ids.length, new Set(ids).size], [3, 1]);
  });

  test('post stanzas without the namespace of the stream', async () => {
    receiver.acceptHeader = 'application/xmpp+xml';
    const root = parseStanza(
      `<s xmlns='jabber:component:accept' xmlns:d='urn:d'><message from='a@b' to='${BOT}'><d:x/></message></s>`,
    );
    const [stanza] = root.getChildElements();
    assert.ok(stanza);
    await take(stanza);
    await until(isEmpty);
    const { body } = receiver.posts[0] ?? {};
    assert.ok(parseStanza(body ?? '').getChild('x', 'urn:d'), 'the child is as it was');
    assert.doesNotMatch(body ?? '', /component:accept/);
  });
});
