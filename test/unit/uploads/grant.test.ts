import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Refusal } from '../../../src/base/errors.ts';
import { announcedSizeFor, maxFileSizeFor } from '../../../src/uploads/grant.ts';
import { getUrl, idInPath, putUrl } from '../../../src/uploads/links.ts';
import { access, MINUTE, openHouse, retention } from './house.ts';

const HOUR = 60 * MINUTE;

async function refused(attempt: Promise<unknown>): Promise<Refusal> {
  const error = await attempt.then(
    () => assert.fail('it was granted'),
    (reason: unknown) => reason,
  );
  assert.equal((error as Error).name, 'Refusal');
  return error as Refusal;
}

describe('asking for a slot', () => {
  test('grants it to the bare JID, case folded', async (t) => {
    const { ask, deps } = await openHouse(t);
    const slot = await ask({ jid: 'Romeo@Example.org/Garden' });
    assert.equal(slot.owner, 'romeo@example.org');
    assert.equal((await deps.ledger.find(slot.id))?.state, 'issued');
    assert.equal((await deps.ledger.usage('romeo@example.org')).pendingBytes, 100);
  });

  test('is refused to somebody no rule lets in, without saying more', async (t) => {
    const { ask } = await openHouse(t);
    const refusal = await refused(ask({ jid: 'eve@elsewhere.example' }));
    assert.equal(refusal.code, 'denied');
    assert.match(refusal.message, /eve@elsewhere\.example/);
  });

  test('of a malformed name, size, type or JID says what is wrong', async (t) => {
    const { ask } = await openHouse(t);
    assert.equal((await refused(ask({ jid: '@' }))).code, 'bad_request');
    assert.equal((await refused(ask({ name: 'a/b' }))).code, 'bad_request');
    assert.equal((await refused(ask({ name: ' ' }))).code, 'bad_request');
    assert.equal((await refused(ask({ name: 'é'.repeat(200) }))).code, 'name_too_long');
    assert.equal((await refused(ask({ type: 'image' }))).code, 'bad_request');
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 60]) {
      assert.equal((await refused(ask({ size }))).code, 'bad_request', String(size));
    }
  });

  test('for a file that names no type keeps the unknown type', async (t) => {
    const { ask } = await openHouse(t);
    assert.equal((await ask({ type: null })).type, 'application/octet-stream');
    assert.equal((await ask({ type: ' ' })).type, 'application/octet-stream');
  });

  test('for too large a file names the limit in bytes', async (t) => {
    const { ask, rule } = await openHouse(t);
    rule({ access: access({ max_file_size: 99 }) });
    const refusal = await refused(ask());
    assert.equal(refusal.code, 'file_too_large');
    assert.equal(refusal.maxFileSize, 99);
    assert.match(refusal.message, /99 bytes/);
  });

  test('for a type that is not allowed names those that are', async (t) => {
    const { ask, rule } = await openHouse(t);
    rule({ access: access({ allowed_types: ['image/*'] }) });
    await ask();
    const refusal = await refused(ask({ type: 'text/plain' }));
    assert.equal(refusal.code, 'type_not_allowed');
    assert.match(refusal.message, /image\/\*/);
  });

  test('over the storage quota says what is used, what is allowed, and when there is room', async (t) => {
    const { ask, upload, rule, deps, pass } = await openHouse(t);
    rule({ access: access({ max_total_size: 250 }) });
    const first = deps.clock();
    await upload();
    pass(MINUTE);
    await upload();
    const refusal = await refused(ask());
    assert.equal(refusal.code, 'quota_exceeded');
    assert.match(refusal.message, /200 bytes of 250 bytes used, this file needs 100 bytes/);
    assert.equal(refusal.retryAt, first + 30 * 24 * HOUR);
    pass(30 * 24 * HOUR - MINUTE);
    await ask();
  });

  test('over the uploads of a period is granted again exactly when it was promised', async (t) => {
    const { ask, rule, deps, pass } = await openHouse(t);
    rule({ access: access({ uploads_per: { period: HOUR, uploads: 2 } }), slotTimeout: 2 * HOUR });
    await ask();
    pass(10 * MINUTE);
    await ask();
    const refusal = await refused(ask());
    assert.match(refusal.message, /2 of 2 files in 1 h/);
    const retryAt = refusal.retryAt ?? assert.fail('no moment was promised');
    assert.equal(retryAt - deps.clock(), 50 * MINUTE);
    pass(50 * MINUTE);
    await ask();
  });

  test('that can never fit promises nothing', async (t) => {
    const { ask, rule } = await openHouse(t);
    rule({ access: access({ bytes_per: { period: HOUR, bytes: 50 } }) });
    const refusal = await refused(ask());
    assert.equal(refusal.retryAt, undefined);
    assert.doesNotMatch(refusal.message, /delete some files/);
  });

  test('of a full service is its own refusal', async (t) => {
    const { ask, rule } = await openHouse(t);
    rule({ globalQuota: 150 });
    await ask();
    assert.equal((await refused(ask({ jid: 'juliet@example.org' }))).code, 'service_full');
  });

  test('of a purpose that is not offered is refused, not quietly kept otherwise', async (t) => {
    const { ask } = await openHouse(t);
    assert.equal((await refused(ask({ purpose: 'permanent' }))).code, 'purpose_not_offered');
  });

  test('keeps the purpose asked for, or the one its name tells', async (t) => {
    const { ask, deps } = await openHouse(t);
    const asked = await ask({ purpose: 'profile' });
    const told = await ask({ name: 'story_1.jpg' });
    assert.equal((await deps.ledger.find(asked.id))?.purpose, 'profile');
    assert.equal((await deps.ledger.find(told.id))?.purpose, 'ephemeral');
  });

  test("of a purpose with limits of its own is held to them and to the rule's", async (t) => {
    const { ask, rule } = await openHouse(t);
    const purposes = { profile: { max_age: null, max_file_size: 150, max_total_size: 150 } };
    rule({ retention: { ...retention, purposes }, access: access({ max_file_size: 1000 }) });
    await ask({ purpose: 'profile' });
    assert.equal((await refused(ask({ purpose: 'profile', size: 151 }))).maxFileSize, 150);
    assert.equal((await refused(ask({ purpose: 'profile' }))).code, 'quota_exceeded');
    await ask({ size: 500 });
  });

  test('that should expire before now is refused', async (t) => {
    const { ask, deps } = await openHouse(t);
    assert.equal((await refused(ask({ expiresAt: deps.clock() }))).code, 'bad_request');
    const slot = await ask({ expiresAt: deps.clock() + HOUR });
    assert.equal((await deps.ledger.find(slot.id))?.expiresAt, deps.clock() + HOUR);
  });

  test('gives its quota back when its time passes unused', async (t) => {
    const { ask, rule, deps, pass } = await openHouse(t);
    rule({ access: access({ max_total_size: 100, uploads_per: { period: HOUR, uploads: 1 } }) });
    const slot = await ask();
    const refusal = await refused(ask());
    assert.equal(refusal.retryAt, slot.deadline);
    pass(slot.deadline - deps.clock());
    await ask();
  });

  test('lets the oldest make room where the rule says so', async (t) => {
    const { upload, ask, rule, deps, pass } = await openHouse(t);
    rule({ access: access({ max_total_size: 250, when_full: 'evict' }) });
    const kept = await upload({ purpose: 'profile' });
    pass(1000);
    const oldest = await upload();
    pass(1000);
    await ask();
    assert.equal(await deps.ledger.find(oldest.id), undefined);
    assert.equal((await deps.ledger.findRemoval(oldest.id))?.reason, 'evicted');
    assert.equal((await deps.ledger.find(kept.id))?.state, 'stored');
  });
});

describe('what clients are told before they ask', () => {
  test('is the limit of a file, and never more than the quotas could hold', async (t) => {
    const { deps, rule } = await openHouse(t);
    rule({ access: access({ max_file_size: 1000, max_total_size: 600 }) });
    assert.equal(maxFileSizeFor(deps, 'romeo@example.org'), 1000);
    assert.equal(announcedSizeFor(deps, 'romeo@example.org/x'), 600);
    rule({ access: access() });
    assert.equal(maxFileSizeFor(deps, 'romeo@example.org'), null);
    assert.throws(() => maxFileSizeFor(deps, 'eve@elsewhere.example'), { code: 'denied' });
  });
});

describe('links', () => {
  test('to upload and to download share nothing but the name', async (t) => {
    const slot = await (await openHouse(t)).ask({ name: 'très cool.jpg' });
    const put = putUrl('https://up.example.org/share', slot.token, slot.name);
    const get = getUrl('https://up.example.org', slot);
    assert.match(put, /^https:\/\/up\.example\.org\/share\/put\/[0-9a-z]{26}\/tres_cool\.jpg$/);
    assert.match(get, /^https:\/\/up\.example\.org\/files\/[0-9a-z]{26}\/tres_cool\.jpg$/);
    assert.notEqual(slot.token, slot.id);
    assert.equal(idInPath(new URL(get).pathname, '/files/'), slot.id);
  });

  test('are found by their id alone', () => {
    const id = '0123456789abcdefghjkmnpqrs';
    assert.equal(idInPath(`/files/${id}`, '/files/'), id);
    assert.equal(idInPath(`/files/${id}/`, '/files/'), id);
    assert.equal(idInPath(`/files/${id}/another%20name.jpg`, '/files/'), id);
    for (const path of [
      `/files/${id}/a/b`,
      `/files/${id}x/a`,
      '/files/',
      `/put/${id}/a`,
      `/files/../${id}/a`,
    ]) {
      assert.equal(idInPath(path, '/files/'), undefined, path);
    }
  });
});
