import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DAY } from '../../support/test-services.ts';
import {
  ADMIN,
  ADMIN_TOKEN,
  anonymous,
  bearer,
  JULIET,
  ROMEO,
  startTestWebServer,
  type TestClient,
  type TestWebServer,
} from '../../support/test-web-server.ts';

interface FileJson {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly expiresAt: string | null;
  readonly canExtend: boolean;
  readonly owner?: string;
}

interface FilePage {
  readonly files: FileJson[];
  readonly next: string | null;
}

/** Uploads a file as the page does: a slot, then a PUT. */
async function upload(server: TestWebServer, as: TestClient, name: string, body = 'hello') {
  const slot = await server.ok<{ id: string; putUrl: string; getUrl: string; contentType: string }>(
    'createSlot',
    {
      as,
      body: { name, size: body.length, type: 'text/plain' },
    },
  );
  const { status, text } = await server.request(new URL(slot.putUrl).pathname, {
    method: 'PUT',
    body,
    headers: { 'Content-Type': slot.contentType },
  });
  assert.equal(status, 201, text);
  return slot;
}

const namesOf = ({ files }: FilePage) => files.map(({ name }) => name);

describe('the files of a user', () => {
  test('are uploaded, listed page by page, found and deleted', async (t) => {
    const server = await startTestWebServer(t);
    const as = await server.signIn(ROMEO);
    await upload(server, as, 'a.txt');
    server.advance(2000);
    await upload(server, as, 'Grüße.txt', 'hello world');
    server.advance(2000);
    const third = await upload(server, as, 'c.txt');
    assert.equal((await server.request(new URL(third.getUrl).pathname)).text, 'hello');

    const first = await server.ok<FilePage>('listFiles', { as, query: { limit: '2' } });
    assert.deepEqual(namesOf(first), ['c.txt', 'Grüße.txt']);
    const query = { limit: '2', cursor: first.next ?? '' };
    const second = await server.ok<FilePage>('listFiles', { as, query });
    assert.deepEqual([namesOf(second), second.next], [['a.txt'], null]);
    const byName = await server.ok<FilePage>('listFiles', { as, query: { sort: 'name', search: 'TXT' } });
    assert.deepEqual(namesOf(byName), ['a.txt', 'c.txt', 'Grüße.txt']);
    const largest = await server.ok<FilePage>('listFiles', { as, query: { sort: 'largest', limit: '1' } });
    assert.deepEqual(namesOf(largest), ['Grüße.txt']);
    const wrongCursor = await server.call('listFiles', {
      as,
      query: { sort: 'largest', cursor: query.cursor },
    });
    assert.equal(wrongCursor.status, 400);

    const file = await server.ok<FileJson>('getFile', { as, params: { id: third.id } });
    assert.equal(file.url, third.getUrl);
    await server.ok('deleteFile', { as, params: { id: third.id } });
    assert.equal((await server.call('deleteFile', { as, params: { id: third.id } })).status, 404);
    assert.equal((await server.request(new URL(third.getUrl).pathname)).status, 404);
    assert.equal((await server.call('deleteAllFiles', { as, body: { confirm: 'yes' } })).status, 400);
    const all = await server.ok<{ removed: number; bytes: number }>('deleteAllFiles', {
      as,
      body: { confirm: ROMEO },
    });
    assert.deepEqual([all.removed, all.bytes], [2, 16]);
  });

  test('do not exist for other users', async (t) => {
    const server = await startTestWebServer(t);
    const [romeo, juliet] = [await server.signIn(ROMEO), await server.signIn(JULIET)];
    const { id } = await upload(server, romeo, 'secret.txt');
    const params = { id };
    assert.equal((await server.call('getFile', { as: juliet, params })).status, 404);
    assert.equal((await server.call('deleteFile', { as: juliet, params })).status, 404);
    const change = { as: juliet, params, body: { expiresAt: null } };
    assert.equal((await server.call('changeFile', change)).status, 404);
    const { removed } = await server.ok<{ removed: number }>('deleteFiles', {
      as: juliet,
      body: { ids: [id] },
    });
    assert.equal(removed, 0);
    assert.deepEqual(namesOf(await server.ok('listFiles', { as: juliet })), []);
    await server.ok('getFile', { as: romeo, params });
  });

  test('are kept shorter or longer within the rule', async (t) => {
    const server = await startTestWebServer(t);
    const as = await server.signIn(ROMEO);
    const { id } = await upload(server, as, 'a.txt');
    const now = server.services.clock();
    const change = async (expiresAt: string | null) =>
      server.ok<FileJson>('changeFile', { as, params: { id }, body: { expiresAt } });
    const iso = (ms: number) => new Date(ms).toISOString();
    const shorter = await change(iso(now + DAY));
    assert.deepEqual([shorter.expiresAt, shorter.canExtend], [iso(now + DAY), true]);
    const longer = await change(iso(now + 365 * DAY));
    assert.deepEqual([longer.expiresAt, longer.canExtend], [iso(now + 30 * DAY), false]);
    await change(iso(now + DAY));
    assert.equal((await change(null)).expiresAt, iso(now + 30 * DAY));
    const past = await server.call('changeFile', { as, params: { id }, body: { expiresAt: iso(now - 1) } });
    assert.equal(past.status, 400);
  });

  test('can be restored from the trash while there is one', async (t) => {
    const server = await startTestWebServer(t);
    const [as, juliet] = [await server.signIn(ROMEO), await server.signIn(JULIET)];
    const gone = await upload(server, as, 'gone.txt');
    const atOnce = await server.ok<{ restorableUntil: null }>('deleteFile', { as, params: { id: gone.id } });
    assert.equal(atOnce.restorableUntil, null);
    server.setRules({ trashMs: DAY });
    const { id, getUrl } = await upload(server, as, 'a.txt');
    const deleted = await server.ok<{ restorableUntil: string }>('deleteFiles', { as, body: { ids: [id] } });
    assert.equal(Date.parse(deleted.restorableUntil), server.services.clock() + DAY);
    assert.equal((await server.request(new URL(getUrl).pathname)).status, 404);
    const { files } = await server.ok<FilePage>('listTrash', { as });
    assert.deepEqual(
      files.map(({ name }) => name),
      ['a.txt'],
    );
    assert.deepEqual((await server.ok<FilePage>('listTrash', { as: juliet })).files, []);
    assert.equal((await server.call('restoreFiles', { as: juliet, body: { ids: [id] } })).status, 404);
    const unknown = await server.call('restoreFiles', { as, body: { ids: [gone.id] } });
    assert.equal(unknown.status, 404, 'another file in the trash makes no difference');
    const restored = await server.ok<object>('restoreFiles', { as, body: { ids: [id] } });
    assert.deepEqual(restored, { restored: 1, bytes: 5 });
    assert.equal((await server.request(new URL(getUrl).pathname)).text, 'hello');
  });

  test('are restored only as far as their owner may upload them now', async (t) => {
    const server = await startTestWebServer(t);
    const { access } = await import('../../support/test-services.ts');
    const as = await server.signIn(ROMEO);
    server.setRules({ trashMs: DAY });
    const { id } = await upload(server, as, 'a.txt');
    await server.ok('deleteFiles', { as, body: { ids: [id] } });
    const restore = async () => {
      const { status, text } = await server.call('restoreFiles', { as, body: { ids: [id] } });
      return [status, (JSON.parse(text) as { code?: string }).code];
    };
    server.setRules({ access: access({ deny: true }) });
    assert.deepEqual(await restore(), [403, 'denied']);
    server.setRules({ access: access({ max_file_size: 4 }) });
    assert.deepEqual(await restore(), [413, 'file_too_large']);
    server.setRules({ access: access({ allowed_types: ['image/*'] }) });
    assert.deepEqual(await restore(), [403, 'type_not_allowed']);
    server.setRules({ access: access({ max_total_size: 4 }) });
    assert.deepEqual(await restore(), [402, 'quota_exceeded']);
    server.setRules({ access: access(), globalQuota: 4 });
    assert.deepEqual(await restore(), [402, 'service_full']);
    server.setRules({ globalQuota: null });
    assert.deepEqual(await restore(), [200, undefined]);
  });

  test('come as one ZIP archive, with every name once', async (t) => {
    const server = await startTestWebServer(t);
    const as = await server.signIn(ROMEO);
    for (const body of ['one', 'two']) await upload(server, as, 'ä.txt', body);
    await upload(server, await server.signIn(JULIET), 'of-juliet.txt');
    const response = await server.call('downloadAll', { as });
    assert.equal(response.status, 200);
    assert.equal(response.headers['content-type'], 'application/zip');
    const file = join(server.folder, 'all.zip');
    await writeFile(file, response.body);
    const script =
      'import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);print([(n,z.read(n).decode()) for n in z.namelist()],z.testzip())';
    const { stdout } = spawnSync('python3', ['-c', script, file], { encoding: 'utf8' });
    assert.match(
      stdout,
      /^\[\('2026-01-01\/ä\.txt', '(one|two)'\), \('2026-01-01\/ä \(2\)\.txt', '(one|two)'\)\] None/,
    );
  });

  test('have a quota, in the words of a refusal', async (t) => {
    const server = await startTestWebServer(t);
    const { access } = await import('../../support/test-services.ts');
    server.setRules({ access: access({ max_total_size: 10, max_file_size: 8 }) });
    const as = await server.signIn(ROMEO);
    await upload(server, as, 'a.txt', '12345678');
    const quota = await server.ok<{ bytes: number; refusal: string | null; maxFileSize: number }>(
      'getQuota',
      { as },
    );
    assert.deepEqual([quota.bytes, quota.refusal, quota.maxFileSize], [8, null, 8]);
    const refused = await server.call('createSlot', { as, body: { name: 'b', size: 3 } });
    assert.equal(refused.status, 402);
    assert.match(refused.text, /Your storage is full: 8 bytes of 10 bytes used, this file needs 3 bytes/);
    await upload(server, as, 'c.txt', '12');
    const full = await server.ok<{ refusal: string | null }>('getQuota', { as });
    assert.match(
      full.refusal ?? '',
      /^Your storage is full: 10 bytes of 10 bytes used\. There is room again on 31 January/,
    );
    server.setRules({ access: access({ deny: true }) });
    assert.match((await server.ok<{ refusal: string }>('getQuota', { as })).refusal, /not allowed/);
  });
});

describe('a guest link', () => {
  test('takes files for its user, up to its limits, until it is revoked', async (t) => {
    const server = await startTestWebServer(t);
    const [as, juliet] = [await server.signIn(ROMEO), await server.signIn(JULIET)];
    const expiresAt = new Date(server.services.clock() + DAY).toISOString();
    const body = { note: 'Photos', expiresAt, maxBytes: 10, maxFiles: 2 };
    const { id, token } = await server.ok<{ id: string; token: string }>('createGuestLink', { as, body });
    const params = { token };
    const seen = await server.ok<object>('getGuestLink', { params });
    assert.deepEqual(seen, { recipient: ROMEO, note: 'Photos', expiresAt, bytesLeft: 10, filesLeft: 2 });
    const slot = await server.ok<{ putUrl: string }>('createGuestSlot', {
      params,
      body: { name: 'a.txt', size: 5 },
    });
    assert.equal('getUrl' in slot, false, 'a guest gets no link to the file');
    await server.request(new URL(slot.putUrl).pathname, { method: 'PUT', body: 'hello' });
    assert.deepEqual(namesOf(await server.ok('listFiles', { as })), ['a.txt']);
    const tooMuch = await server.call('createGuestSlot', { params, body: { name: 'b', size: 6 } });
    assert.equal(tooMuch.status, 402);
    const { links } = await server.ok<{ links: { usedFiles: number }[] }>('listGuestLinks', { as });
    assert.deepEqual(
      links.map(({ usedFiles }) => usedFiles),
      [1],
    );
    assert.equal((await server.call('revokeGuestLink', { as: juliet, params: { id } })).status, 404);
    await server.ok('revokeGuestLink', { as, params: { id } });
    assert.equal((await server.call('getGuestLink', { params })).status, 404);
  });

  test('gives a refused file back, ends in time, and can be turned off', async (t) => {
    const server = await startTestWebServer(t);
    const { access } = await import('../../support/test-services.ts');
    server.setRules({ access: access({ max_file_size: 5 }) });
    const as = await server.signIn(ROMEO);
    const expiresAt = new Date(server.services.clock() + DAY).toISOString();
    const { token } = await server.ok<{ token: string }>('createGuestLink', {
      as,
      body: { expiresAt, maxFiles: 1 },
    });
    const slot = (size: number) =>
      server.call('createGuestSlot', { params: { token }, body: { name: 'a', size } });
    assert.equal((await slot(6)).status, 413);
    assert.equal((await slot(5)).status, 201);
    server.setSettings({ guestLinks: false });
    assert.equal((await server.call('getGuestLink', { params: { token } })).status, 404);
    assert.equal((await server.call('createGuestLink', { as, body: { expiresAt } })).status, 403);
    server.setSettings({ guestLinks: true });
    server.advance(DAY);
    assert.equal((await server.call('getGuestLink', { params: { token } })).status, 404);
  });
});

describe('an admin', () => {
  test('sees, finds and deletes the files of all, and the audit tells it', async (t) => {
    const server = await startTestWebServer(t);
    const [admin, romeo] = [await server.signIn(ADMIN), await server.signIn(ROMEO)];
    const { id, getUrl } = await upload(server, romeo, 'a.txt');
    await upload(server, await server.signIn(JULIET), 'b.txt');
    const all = await server.ok<FilePage>('listAllFiles', { as: admin, query: { search: '.TXT' } });
    assert.equal(all.files.length, 2);
    const own = await server.ok<FilePage>('listAllFiles', {
      as: admin,
      query: { owner: 'Romeo@example.org' },
    });
    assert.deepEqual(
      own.files.map(({ owner }) => owner),
      [ROMEO],
    );
    const found = await server.ok<FileJson>('findFile', { as: admin, query: { link: getUrl } });
    assert.equal(found.id, id);
    assert.equal((await server.call('findFile', { as: admin, query: { link: 'x' } })).status, 404);
    const { users } = await server.ok<{ users: { owner: string }[] }>('listUsers', { as: admin });
    assert.deepEqual(
      users.map(({ owner }) => owner),
      [JULIET, ROMEO],
    );
    const body = { ids: [id], reason: 'illegal' };
    await server.ok('deleteAnyFiles', { as: admin, body });
    const why = await server.ok<{ lines: string[] }>('explainTarget', {
      as: admin,
      query: { target: getUrl },
    });
    assert.match(why.lines.join('\n'), /deleted by admin@example\.org: illegal/);
    const { entries } = await server.ok<{ entries: Record<string, unknown>[] }>('listAudit', { as: admin });
    const { at: _at, ...entry } = entries[0] ?? {};
    const expected = {
      actor: ADMIN,
      address: '127.0.0.1',
      action: 'delete_files',
      subject: ROMEO,
      files: 1,
      bytes: 5,
    };
    assert.deepEqual(entry, expected);
  });

  test('deletes the files of a user, or forgets the user, and confirms it', async (t) => {
    const server = await startTestWebServer(t);
    const admin = await server.signIn(ADMIN);
    const romeo = await server.signIn(ROMEO);
    await upload(server, romeo, 'a.txt');
    const wrong = { owner: ROMEO, confirm: JULIET };
    assert.equal((await server.call('deleteFilesOfUser', { as: admin, body: wrong })).status, 400);
    assert.equal((await server.call('forgetUser', { as: admin, body: wrong })).status, 400);
    const body = { owner: ROMEO, confirm: ROMEO };
    assert.equal((await server.ok<{ removed: number }>('deleteFilesOfUser', { as: admin, body })).removed, 1);
    await upload(server, romeo, 'b.txt');
    assert.equal((await server.ok<{ removed: number }>('forgetUser', { as: admin, body })).removed, 1);
    assert.equal((await server.call('getSession', { as: romeo })).status, 401, 'sessions are forgotten too');
    const audit = await server.call('listAudit', { as: admin });
    assert.doesNotMatch(audit.text, /romeo/);
  });

  test('sees the state, the config and the rule of a user', async (t) => {
    const server = await startTestWebServer(t);
    const as = bearer(ADMIN_TOKEN);
    const status = await server.ok<{ streams: unknown[] }>('getStatus', { as });
    assert.deepEqual(status.streams, [{ jid: 'upload.example.org', up: true, reason: null }]);
    await server.ok('getConfig', { as });
    assert.equal((await server.ok<{ ok: boolean }>('runDoctor', { as })).ok, true);
    await server.services.ledger.recordUsage({ now: server.services.clock() - 2 * DAY });
    await upload(server, await server.signIn(ROMEO), 'a.txt', 'x'.repeat(100));
    const history = await server.ok<{ samples: unknown[]; growthPerDay: number; fullAt: unknown }>(
      'getHistory',
      {
        as,
        query: { days: '3' },
      },
    );
    assert.deepEqual([history.samples.length, history.growthPerDay], [1, 50]);
    const rule = await server.ok<{ rule: string; line: number }>('matchRule', { as, query: { jid: ROMEO } });
    assert.deepEqual([rule.rule, rule.line], ['access[0]', 3]);
    const stranger = await server.ok<{ isAllowed: boolean }>('matchRule', {
      as,
      query: { jid: 'a@b.example' },
    });
    assert.equal(stranger.isAllowed, false);
    const user = await server.ok<{ owner: string }>('getUser', { as, query: { owner: ROMEO } });
    assert.equal(user.owner, ROMEO);
  });
});

describe('the page', () => {
  test('says that it is not built, redirects to its folder, and names the contact', async (t) => {
    const server = await startTestWebServer(t);
    const redirect = await server.request('/web');
    assert.deepEqual([redirect.status, redirect.headers.location], [308, 'web/']);
    const page = await server.request('/web/');
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
    assert.doesNotMatch(String(page.headers['content-security-policy']), /unsafe/);
    const contact = await server.request('/.well-known/security.txt');
    assert.match(contact.text, /^Contact: mailto:abuse@example\.org\nExpires: 2026-06-30T00:00:00Z\n$/);
    assert.equal((await server.request('/web/nothing.js')).status, 404);
    const api = await server.request('/web/api/v1/openapi.json');
    assert.equal(JSON.parse(api.text).openapi, '3.1.0');
    await server.ok('getService', { as: anonymous });
  });
});
