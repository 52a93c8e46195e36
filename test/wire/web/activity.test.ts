import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import type { HookRule } from '../../../src/messages/hooks/handle-hook.ts';
import { createDailyCountWriter } from '../../../src/uploads/activity/daily-counts.ts';
import { runSweep } from '../../../src/uploads/sweep.ts';
import { access, DAY } from '../../support/test-services.ts';
import { ADMIN, ADMIN_TOKEN, bearer, ROMEO, startTestWebServer } from '../../support/test-web-server.ts';

const as = bearer(ADMIN_TOKEN);
const OPS = 'ops@example.org';

const hook: HookRule = {
  name: 'ci builds',
  token: 'a-hook-of-some-length',
  from: 'alerts@upload.example.org',
  messages_per: null,
  queue: false,
  to: [OPS],
  type: 'chat',
  nick: null,
  room_password: null,
  format: 'github',
  resolved: 'show',
  template: null,
  fields: { title: null, text: null, link: null, image: null, username: null },
  signature_secret: 'a test has no signature',
  override: { to: [], username: true },
  images_from: [],
  max_image_size: 1000,
};

interface HookList {
  readonly hooks: {
    readonly name: string;
    readonly lastCall: { readonly at: string; readonly status: number; readonly program: string } | null;
  }[];
}

describe('an admin', () => {
  test('sees the last call of every hook, but not its token', async (t) => {
    const server = await startTestWebServer(t, {
      hooks: [
        { ...hook, signature_secret: null },
        { ...hook, name: 'unused', token: 'another-hook-of-length' },
      ],
    });
    const send = (body: string) =>
      server.request('/msg/hooks/a-hook-of-some-length', {
        method: 'POST',
        body,
        headers: { 'Content-Type': 'application/json', 'User-Agent': 'GitHub-Hookshot/1' },
      });
    const push = {
      repository: { full_name: 'verona/porter' },
      sender: { login: 'romeo' },
      zen: 'Keep it simple.',
    };
    assert.equal((await send(JSON.stringify(push))).status, 201);
    await server.flushHookCalls();
    const first = await server.ok<HookList>('listHooks', { as });
    const at = new Date(server.services.clock()).toISOString();
    assert.deepEqual(
      first.hooks.map(({ name, lastCall }) => [name, lastCall]),
      [
        ['ci builds', { at, status: 201, address: '127.0.0.1', program: 'GitHub-Hookshot/1', refusal: null }],
        ['unused', null],
      ],
    );
    assert.doesNotMatch(JSON.stringify(first), /length/);
    assert.equal((await send('{')).status, 400);
    await server.flushHookCalls();
    const [refused] = (await server.ok<HookList>('listHooks', { as })).hooks;
    assert.match(JSON.stringify(refused), /"status":400.*"refusal":"[^"]*JSON/);
  });

  test('sends a test of a hook and sees what became of it', async (t) => {
    const server = await startTestWebServer(t, { hooks: [hook] });
    const sent = await server.ok<object>('testHook', { as, params: { name: 'ci builds' } });
    assert.deepEqual(sent, { results: [{ to: OPS, state: 'sent', text: null }] });
    assert.match(server.messages.at(-1)?.body ?? '', /porter\/test.*\n?.*test of this hook/s);
    const audit = await server.call('listAudit', { as });
    assert.match(audit.text, /"action":"test_hook","subject":"ci builds"/);
    assert.equal((await server.call('testHook', { as, params: { name: 'unknown' } })).status, 404);

    server.failMessages(new Refusal('bounced'));
    const failed = await server.call('testHook', { as, params: { name: 'ci builds' } });
    assert.match(failed.text, /"state":"failed","text":".+"/);
  });

  test('sees what the last sweeps have removed', async (t) => {
    const server = await startTestWebServer(t);
    await server.upload({ name: 'old.jpg', size: 100 });
    server.advance(31 * DAY);
    await runSweep(server.services, { keepRecords: null, dryRun: true });
    await runSweep(server.services, { keepRecords: null });
    const { sweeps } = await server.ok<{ sweeps: { expired: number; bytes: number }[] }>('listSweeps', {
      as,
    });
    assert.equal(sweeps.length, 1, 'a dry run removes nothing');
    assert.deepEqual([sweeps[0]?.expired, sweeps[0]?.bytes], [1, 100]);
  });

  test('sees the uploads, downloads and refusals of each day', async (t) => {
    const server = await startTestWebServer(t);
    const { metrics, clock } = server.services;
    const write = createDailyCountWriter(server.services);
    const other = createDailyCountWriter({ ...server.services, metrics });
    metrics.uploadStored('component', 100, 5);
    metrics.uploadStored('admin', 100, 5);
    metrics.downloadServed(100);
    metrics.downloadServed(100);
    await write();
    await other();
    await write();
    const first = new Date(clock()).toISOString();
    server.advance(2 * DAY);
    metrics.requestRefused('component', 'denied');
    await write();
    const { days } = await server.ok<{ days: unknown[] }>('getHistory', { as });
    assert.deepEqual(days, [
      // Two processes add up.
      { day: first, uploads: 2, downloads: 4, refusals: 0 },
      { day: new Date(clock() - DAY).toISOString(), uploads: 0, downloads: 0, refusals: 0 },
      { day: new Date(clock()).toISOString(), uploads: 0, downloads: 0, refusals: 1 },
    ]);
  });

  test('sees the refusals of the last day of all users', async (t) => {
    const server = await startTestWebServer(t);
    server.setRules({ access: access({ max_file_size: 10 }) });
    const romeo = await server.signIn(ROMEO);
    const tooLarge = await server.call('createSlot', {
      as: romeo,
      body: { name: 'film.mkv', size: 11 },
    });
    assert.ok(tooLarge.status >= 400);
    await server.services.refusals.flush();
    const { refusals } = await server.ok<{ refusals: { owner: string; fileName: string }[] }>(
      'listRefusals',
      { as },
    );
    assert.deepEqual([refusals[0]?.owner, refusals[0]?.fileName], [ROMEO, 'film.mkv']);
    server.advance(DAY);
    assert.deepEqual(await server.ok('listRefusals', { as: await server.signIn(ADMIN) }), { refusals: [] });
  });
});
