import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { sha256Hex } from '../../../src/base/ids.ts';
import { type HookFormatName, hookPrograms } from '../../../src/messages/hooks/formats/registry.ts';
import { encodeForm } from '../../support/http.ts';
import { sample } from '../../unit/messages/hooks/sample-kit.ts';
import { JSON_TYPE, OPS, openHooks, PATH, TOKEN } from './hook-server.ts';

describe('A hook', () => {
  test('may have any valid JID as its recipient, and works beside hooks with others', async (t) => {
    const jids = [
      'm\u00fcller@example.org',
      '\u5f20@example.org',
      'a.b+c$d(e)[f]{g}|h^i*j?k\\l@example.org',
      'ops@m\u00fcnchen.example.org',
    ];
    const others = jids.map((jid, n) => ({
      name: `hook ${n}`,
      token: `${TOKEN}-${n}`,
      to: [jid],
      type: 'chat' as const,
    }));
    const { ask, recipients } = await openHooks(t, {}, ...others);
    for (const [n] of jids.entries()) {
      assert.equal((await ask(`${PATH}-${n}`, sample('alertmanager/one'))).status, 201);
    }
    assert.deepEqual(recipients(), jids);
  });

  test('sends the event of a program to its room, under its nick', async (t) => {
    const { ask, delivered, bodies } = await openHooks(t, {});
    const reply = await ask(PATH, sample('alertmanager/one'));
    assert.equal(reply.status, 201);
    assert.match(bodies()[0] ?? '', /^\*\[FIRING\] InstanceDown\*\nweb1 is down\n/);
    const [one] = delivered;
    assert.equal(one?.from, 'alerts@upload.example.org');
    assert.equal(one?.message.attrs.to, OPS);
    assert.equal(one?.message.attrs.type, 'groupchat');
    assert.deepEqual(one?.options.room, { nick: 'Alerts', password: 'sesame' });
  });

  test('returns message ids if requested, and writes to all its recipients', async (t) => {
    const { ask, recipients } = await openHooks(t, {
      type: 'chat',
      to: ['romeo@example.org', 'juliet@example.org'],
    });
    const reply = await ask(PATH, { text: 'x' }, { Accept: 'application/json' });
    assert.deepEqual(
      JSON.parse(reply.text).messages.map(({ to }: { to: string }) => to),
      recipients(),
    );
    assert.equal(recipients().length, 2);
  });

  test('requires its token, in the path or as bearer, plain or hashed in the config', async (t) => {
    const hashed = { token: `sha256:${sha256Hex('another-token-of-length')}`, name: 'hashed' };
    const { ask, delivered } = await openHooks(t, {}, hashed);
    const good = [
      () => ask(PATH, { text: 'x' }),
      () => ask(`${PATH}/`, { text: 'x' }),
      () => ask('/msg/hooks/', { text: 'x' }, { Authorization: `Bearer ${TOKEN}` }),
      () => ask('/msg/hooks/another-token-of-length', { text: 'x' }),
      () => ask(PATH, { text: 'x' }, {}, 'PUT'),
    ];
    for (const one of good) assert.equal((await one()).status, 201);
    for (const path of ['/msg/hooks/', '/msg/hooks/nonsense', `/msg/hooks/${hashed.token}`, '/msg/hooks/%']) {
      const reply = await ask(path, { text: 'x' });
      assert.equal(reply.status, path.endsWith('%') ? 400 : 401, path);
    }
    assert.equal((await ask(PATH, '', {}, 'GET')).status, 405);
    const options = await ask(PATH, '', {}, 'OPTIONS');
    assert.equal(options.status, 200);
    assert.match(options.headers['access-control-allow-methods'] ?? '', /POST/);
    assert.equal(delivered.length, good.length);
  });

  test('checks the token before it reads the body, and limits the body', async (t) => {
    const { ask, delivered } = await openHooks(t, {});
    const large = Buffer.alloc(3 * 1024 * 1024, 'x');
    assert.equal((await ask('/msg/hooks/wrong', large)).status, 401);
    assert.equal((await ask(PATH, large)).status, 413);
    assert.equal(delivered.length, 0);
  });

  test('accepts JSON, forms and text with any Content-Type', async (t) => {
    const { ask, bodies } = await openHooks(t, { format: 'generic' });
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const kuma = await encodeForm((data) => data.set('data', JSON.stringify({ text: 'six' })));
    const calls: [string | Buffer | object, Record<string, string>][] = [
      [{ text: 'one' }, {}],
      ['two', {}],
      ['text=three', form],
      ['{"text": "four"}', form],
      [`payload=${encodeURIComponent('{"text":"five"}')}`, form],
      [kuma.body, kuma.headers],
      ['{"text": "seven"}', { 'Content-Type': 'text/plain' }],
      ['{"text": "eight"}', { 'Content-Type': 'application/vnd.x+json; charset=utf-8' }],
      ['{not json', {}],
      // The body of `curl -d`.
      ['Hello, room', form],
    ];
    for (const [body, headers] of calls)
      assert.equal((await ask(PATH, body, headers)).status, 201, String(body));
    assert.deepEqual(bodies(), [
      'one',
      'two',
      'three',
      'four',
      'five',
      'six',
      'seven',
      'eight',
      '{not json',
      'Hello, room',
    ]);
    assert.equal((await ask(PATH, '{', JSON_TYPE)).status, 400);
    assert.equal((await ask(PATH, 'x', { 'Content-Type': 'image/png' })).status, 415);
    assert.equal((await ask(PATH, Buffer.from([0xff]), {})).status, 400);
    assert.equal((await ask(PATH, 'x', { 'Content-Type': 'multipart/form-data; boundary=y' })).status, 400);
    assert.equal((await ask(PATH, {})).status, 422);
  });

  test("answers Slack's format like Slack: 200 and ok", async (t) => {
    const { ask, bodies } = await openHooks(t, { format: 'slack' });
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const body = `payload=${encodeURIComponent(JSON.stringify({ text: 'hi <https://a.example|there>', username: 'bot' }))}`;
    for (const reply of [await ask(PATH, body, form), await ask(PATH, 'text=hi&username=bot', form)]) {
      assert.equal(reply.status, 200);
      assert.equal(reply.text, 'ok');
    }
    assert.deepEqual(bodies(), ['*bot:* hi there (https://a.example)', '*bot:* hi']);
    assert.equal((await ask(PATH, {})).status, 422);
  });

  test('serves Matterbridge: a room in the path and a username', async (t) => {
    const { ask, recipients, bodies } = await openHooks(t, {
      override: { to: ['^balcony@'], username: true },
    });
    const reply = await ask(`${PATH}/balcony`, sample('slack/matterbridge'));
    assert.equal(reply.status, 200);
    assert.deepEqual(recipients(), ['balcony@conference.example.org']);
    assert.deepEqual(bodies(), ['*<romeo>* hello from the other side']);
  });

  test('accepts its token as programs for Gotify, ntfy and Sonarr send it', async (t) => {
    const { ask, recipients, delivered } = await openHooks(t, {});
    const message = { title: 'Backup', message: 'done', priority: 5 };
    const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    const statuses = [
      await ask('/msg/hooks/message', message, { 'X-Gotify-Key': TOKEN }),
      await ask(`/msg/hooks/message?token=${TOKEN}`, message),
      await ask('/msg/hooks/', message, basic(`any:${TOKEN}`)),
      await ask('/msg/hooks/', message, basic(`:${TOKEN}`)),
    ].map(({ status }) => status);
    assert.deepEqual(statuses, [200, 201, 201, 201]);
    assert.deepEqual([...new Set(recipients())], [OPS]);
    for (const headers of [
      { 'X-Gotify-Key': 'wrong' },
      basic('any:wrong'),
      basic(TOKEN),
      { 'X-Gotify-Key': '' },
    ])
      assert.equal((await ask('/msg/hooks/message', message, headers)).status, 401);
    assert.equal((await ask('/msg/hooks/message?token=wrong', message)).status, 401);
    assert.equal(delivered.length, 4);
  });

  test('answers as the service whose payload a program sends', async (t) => {
    const { ask } = await openHooks(t, {});
    const text = async (reply: Promise<{ status: number; text: string }>) => {
      const { status, text: body } = await reply;
      return `${status} ${body}`.trim();
    };
    assert.equal(await text(ask(PATH, sample('teams/adaptive-card'))), '200 1');
    assert.equal(await text(ask(PATH, sample('discord/embeds'))), '204');
    assert.match(await text(ask(`${PATH}?wait=true`, sample('discord/embeds'))), /^200 \{"id":"\w+"\}$/);
    const ntfy = await text(ask(PATH, 'The disk is full', { Title: 'Backup' }));
    assert.match(ntfy, /^200 \{"id":"\w+",.*"message":"The disk is full"\}$/);
    const form = await encodeForm((data) =>
      data.set('payload_json', JSON.stringify({ embeds: [{ title: 'x' }] })),
    );
    assert.equal(await text(ask(PATH, form.body, form.headers)), '204');
  });

  test('requires the secret token of GitLab if it has a secret', async (t) => {
    const secret = 'a-secret-of-the-forge';
    const { ask, bodies } = await openHooks(t, { format: 'gitlab', signature_secret: secret });
    const push = sample('gitlab/push');
    assert.equal((await ask(PATH, push, { 'X-Gitlab-Token': secret })).status, 201);
    const wrong = await ask(PATH, push, { 'X-Gitlab-Token': 'another' });
    assert.equal(wrong.status, 403);
    assert.match(wrong.text, /signature_secret of the hook/);
    assert.equal((await ask(PATH, push)).status, 403);
    assert.match(bodies().join(), /^\*\[verona\/porter\]\* juliet pushed 4 commits to main\n[^,]*$/);
  });

  test('refuses hostile payloads with a reason and never with an internal error, in every format', async (t) => {
    const formats = Object.keys(hookPrograms) as HookFormatName[];
    const hooks = formats.map((format) => ({ name: format, token: `${TOKEN}-${format}`, format }));
    const { ask } = await openHooks(t, ...hooks, {
      name: 'own',
      token: `${TOKEN}-own`,
      template: '{{a}} {{{b}}}',
    });
    const deep = `{"alerts":${'['.repeat(50_000)}${']'.repeat(50_000)},"version":"4"}`;
    const wide = `{${Array.from({ length: 50_000 }, (_, at) => `"k${at}":"${at}"`).join()}}`;
    const odd = '{"a":{"toString":1},"b":{"toString":1,"valueOf":1},"text":{"toString":1},"object_kind":[]}';
    const bodies = [deep, wide, odd, '[]', '"x"', 'null', '5', '{"text":"\\ud800"}', '{'];
    for (const name of [...formats, 'own']) {
      for (const body of bodies) {
        const { status, text } = await ask(`${PATH}-${name}`, body, JSON_TYPE);
        assert.ok(status < 500 || status === 501, `${name}: ${status} for ${body.slice(0, 40)}`);
        if (status >= 400) assert.ok(text.length > 5);
      }
    }
    const huge = await ask(PATH, `{"text":"${'x'.repeat(3 * 1024 * 1024)}"}`, JSON_TYPE);
    assert.ok([401, 413].includes(huge.status));
  });

  test('lets a request choose only allowed recipients', async (t) => {
    const { ask, recipients } = await openHooks(t, {
      override: { to: ['@conference\\.example\\.net$'], username: false },
    });
    const allowed = 'x@conference.example.net';
    assert.equal((await ask(`${PATH}/${allowed}`, { text: 'x' })).status, 201);
    assert.equal((await ask(`${PATH}?to=${allowed}`, { text: 'x' })).status, 201);
    assert.equal((await ask(`${PATH}/ops`, { text: 'x' })).status, 201);
    assert.equal((await ask(PATH, { text: 'x', username: 'me', channel: allowed })).status, 200);
    assert.equal((await ask(PATH, { text: 'x', username: 'me', channel: '#general' })).status, 200);
    assert.deepEqual(recipients(), [allowed, allowed, OPS, allowed, OPS]);
    for (const path of [
      `${PATH}/other`,
      `${PATH}/opsx@conference.example.org`,
      `${PATH}?to=juliet@example.org`,
    ]) {
      assert.equal((await ask(path, { text: 'x' })).status, 403, path);
    }
    assert.equal(recipients().length, 5);
  });

  test('reads the event from its header and verifies the signature', async (t) => {
    const { ask, bodies, delivered } = await openHooks(t, { signature_secret: 'a-secret-of-the-forge' });
    const body = JSON.stringify(sample('gitea/create'));
    const signature = createHmac('sha256', 'a-secret-of-the-forge').update(body).digest('hex');
    const headers = { ...JSON_TYPE, 'X-Gitea-Event': 'delete' };
    const signed = await ask(PATH, body, { ...headers, 'X-Gitea-Signature': signature });
    assert.equal(signed.status, 201);
    const hub = await ask(PATH, body, { ...headers, 'X-Hub-Signature-256': `sha256=${signature}` });
    assert.equal(hub.status, 201);
    assert.equal(bodies()[0], '*[juliet/porter]* juliet deleted tag v1.0');
    assert.equal((await ask(PATH, body, headers)).status, 403);
    assert.equal((await ask(PATH, `${body} `, { ...headers, 'X-Gitea-Signature': signature })).status, 403);
    assert.equal(delivered.length, 2);
  });

  test('reports bounces, and answers 204 to events that need no message', async (t) => {
    const { ask, onDeliver, delivered } = await openHooks(t, { resolved: 'hide' });
    const quiet = await ask(PATH, sample('alertmanager/resolved'));
    assert.equal(quiet.status, 204);
    assert.equal(delivered.length, 0);
    onDeliver(() => {
      throw new Refusal('bounced', { text: 'The room is closed.', condition: 'forbidden' });
    });
    const bounced = await ask(PATH, { text: 'x', username: 'me' });
    assert.equal(bounced.status, 502);
    assert.match(bounced.text, /The room is closed/);
    onDeliver(() => {
      throw new Refusal('unavailable');
    });
    assert.equal((await ask(PATH, { text: 'x' })).status, 503);
    const version = await ask(PATH, { ...sample('alertmanager/one'), version: '3' });
    assert.equal(version.status, 501);
  });

  test('sends a repeated event only to recipients that do not have it yet', async (t) => {
    const [romeo, juliet, nurse] = ['romeo@example.org', 'juliet@example.org', 'nurse@example.org'];
    const { ask, onDeliver, recipients, advance } = await openHooks(t, {
      type: 'chat',
      to: [romeo, juliet, nurse],
    });
    const gone = new Set<string | undefined>([juliet, nurse]);
    onDeliver(({ message }) => {
      if (gone.has(message.attrs.to)) throw new Refusal('bounced');
    });
    const statuses = async (...texts: string[]) => {
      const found: number[] = [];
      for (const text of texts) found.push((await ask(PATH, { text })).status);
      return found;
    };
    assert.deepEqual(await statuses('a', 'a'), [502, 502]);
    assert.deepEqual(recipients(), [romeo, juliet, nurse, juliet, nurse]);
    gone.delete(juliet);
    assert.deepEqual(await statuses('a', 'a'), [502, 502]);
    assert.deepEqual(recipients().slice(5), [juliet, nurse, nurse]);
    gone.delete(nurse);
    assert.deepEqual(await statuses('a'), [201]);
    assert.deepEqual(recipients().slice(8), [nurse]);
    assert.deepEqual(await statuses('a', 'b'), [201, 201]);
    assert.deepEqual(recipients().slice(9), [romeo, juliet, nurse, romeo, juliet, nurse]);
    gone.add(nurse);
    assert.deepEqual(await statuses('c'), [502]);
    advance(16 * 60_000);
    assert.deepEqual(await statuses('c'), [502]);
    assert.equal(recipients().length, 21);
  });

  test('queues messages while the XMPP server is unreachable, if configured', async (t) => {
    const { ask, onDeliver } = await openHooks(t, { queue: true });
    onDeliver(() => {
      throw new Refusal('unavailable');
    });
    assert.equal((await ask(PATH, { text: 'x' })).status, 202);
  });

  test('has a rate limit', async (t) => {
    const { ask } = await openHooks(
      t,
      { messages_per: { period: 60_000, messages: 2 } },
      { token: 'second-hook', name: 'b' },
    );
    assert.equal((await ask(PATH, { text: 'x' })).status, 201);
    assert.equal((await ask(PATH, { text: 'x' })).status, 201);
    const reply = await ask(PATH, { text: 'x' });
    assert.equal(reply.status, 429);
    assert.ok(reply.headers['retry-after']);
    assert.equal((await ask('/msg/hooks/second-hook', { text: 'x' })).status, 201);
  });

  test('formats messages with its template, which escapes the payload', async (t) => {
    const template =
      '{{#alerts}}{{status}}: {{labels.instance}} {{annotations.summary}}\n{{/alerts}}{{{porter.text}}}';
    const { ask, bodies } = await openHooks(t, { template });
    await ask(PATH, {
      version: '4',
      receiver: 'x',
      alerts: [{ status: 'firing', labels: { instance: '*a*' } }],
    });
    assert.equal(bodies()[0], 'firing: \u2060*a* \n*[FIRING]*\ninstance=*a*'.replace('=*a*', '=*a*'));
    const muted = await openHooks(t, { template: '{{#loud}}{{text}}{{/loud}}' });
    assert.equal((await muted.ask(PATH, { text: 'x' })).status, 204);
    assert.equal((await muted.ask(PATH, { loud: true, text: '<&>' })).status, 201);
    assert.deepEqual(muted.bodies(), ['<&>']);
    const own = await openHooks(t, { template: '{{#a}}{{b}}{{/a}}' });
    assert.equal((await own.ask(PATH, { a: [{ b: 1 }, { b: 2 }] })).status, 201);
    assert.deepEqual(own.bodies(), ['12']);
  });

  test('cuts a text that is too long, and sends the rest of the message', async (t) => {
    const { ask, bodies } = await openHooks(t, {});
    assert.equal((await ask(PATH, '😀'.repeat(50_000))).status, 201);
    const [text = ''] = bodies();
    assert.ok(text.length <= 16_000 && text.endsWith('…') && text.isWellFormed());
  });
});
