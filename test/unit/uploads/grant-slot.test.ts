import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Refusal } from '../../../src/base/errors.ts';
import { announcedMaxSizeFor, maxFileSizeFor } from '../../../src/uploads/grant-slot.ts';
import { getUrl, idInPath, putUrl } from '../../../src/uploads/links.ts';
import { access, MINUTE, openTestServices, retention } from '../../support/test-services.ts';

const HOUR = 60 * MINUTE;

async function refused(attempt: Promise<unknown>): Promise<Refusal> {
  const error = await attempt.then(
    () => assert.fail('it was granted'),
    (reason: unknown) => reason,
  );
  assert.equal((error as Error).name, 'Refusal');
  return error as Refusal;
}

describe('a slot request', () => {
  test('is granted to the bare JID in lower case', async (t) => {
    const { requestSlot, services } = await openTestServices(t);
    const slot = await requestSlot({ jid: 'Romeo@Example.org/Garden' });
    assert.equal(slot.owner, 'romeo@example.org');
    assert.equal((await services.ledger.find(slot.id))?.state, 'issued');
    assert.equal((await services.ledger.usage('romeo@example.org')).pendingBytes, 100);
  });

  test('is refused without details if no access rule permits the JID', async (t) => {
    const { requestSlot } = await openTestServices(t);
    const refusal = await refused(requestSlot({ jid: 'eve@elsewhere.example' }));
    assert.equal(refusal.code, 'denied');
    assert.match(refusal.message, /eve@elsewhere\.example/);
  });

  test('has a cleaned name, whatever the client sends', async (t) => {
    const { requestSlot } = await openTestServices(t);
    assert.equal((await requestSlot({ name: 'a/b.jpg' })).name, 'b.jpg');
    assert.equal((await requestSlot({ name: ' ', type: 'image/png' })).name, 'file.png');
    assert.equal((await requestSlot({ name: ' ', type: null })).name, 'file');
    assert.equal((await requestSlot({ name: `${'é'.repeat(200)}.jpg` })).name, `${'é'.repeat(118)}.jpg`);
  });

  test('with a malformed size, type or JID is refused with the reason', async (t) => {
    const { requestSlot } = await openTestServices(t);
    assert.equal((await refused(requestSlot({ jid: '@' }))).code, 'bad_request');
    assert.equal((await refused(requestSlot({ type: 'image' }))).code, 'bad_request');
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 60]) {
      assert.equal((await refused(requestSlot({ size }))).code, 'bad_request', String(size));
    }
  });

  test('without a type gets the unknown type', async (t) => {
    const { requestSlot } = await openTestServices(t);
    assert.equal((await requestSlot({ type: null })).type, 'application/octet-stream');
    assert.equal((await requestSlot({ type: ' ' })).type, 'application/octet-stream');
  });

  test('for too large a file is refused with the limit in bytes', async (t) => {
    const { requestSlot, setRules } = await openTestServices(t);
    setRules({ access: access({ max_file_size: 99 }) });
    const refusal = await refused(requestSlot());
    assert.equal(refusal.code, 'file_too_large');
    assert.equal(refusal.maxFileSize, 99);
    assert.match(refusal.message, /99 bytes/);
  });

  test('for a type that is not allowed is refused with the allowed types', async (t) => {
    const { requestSlot, setRules } = await openTestServices(t);
    setRules({ access: access({ allowed_types: ['image/*'] }) });
    await requestSlot();
    const refusal = await refused(requestSlot({ type: 'text/plain' }));
    assert.equal(refusal.code, 'type_not_allowed');
    assert.match(refusal.message, /image\/\*/);
  });

  test('over the storage quota is refused with usage, limit and the time when space frees up', async (t) => {
    const { requestSlot, upload, setRules, services, advance } = await openTestServices(t);
    setRules({ access: access({ max_total_size: 250 }) });
    const first = services.clock();
    await upload();
    advance(MINUTE);
    await upload();
    const refusal = await refused(requestSlot());
    assert.equal(refusal.code, 'quota_exceeded');
    assert.match(refusal.message, /200 bytes of 250 bytes used, this file needs 100 bytes/);
    assert.equal(refusal.retryAt, first + 30 * 24 * HOUR);
    advance(30 * 24 * HOUR - MINUTE);
    await requestSlot();
  });

  test('over the number of files is refused with the number and the time when one expires', async (t) => {
    const { requestSlot, upload, setRules, services, advance } = await openTestServices(t);
    setRules({ access: access({ max_files: 2 }) });
    const first = services.clock();
    await upload({ size: 1 });
    advance(MINUTE);
    await upload({ size: 1 });
    const refusal = await refused(requestSlot({ size: 1 }));
    assert.equal(refusal.code, 'quota_exceeded');
    assert.match(refusal.message, /^You have 2 of 2 files, unused slots included\. There is room again/);
    assert.equal(refusal.retryAt, first + 30 * 24 * HOUR);
    setRules({ access: access({ max_files: 2, when_full: 'evict' }) });
    await requestSlot();
    assert.equal((await services.ledger.usage('romeo@example.org')).uploads, 1);
  });

  test('over the number of files that never expire is refused with the advice to delete some', async (t) => {
    const { requestSlot, upload, setRules } = await openTestServices(t);
    setRules({ access: access({ max_files: 1 }) });
    await upload({ purpose: 'profile' });
    const refusal = await refused(requestSlot());
    assert.equal(refusal.retryAt, undefined);
    assert.match(refusal.message, /delete some files/);
  });

  test('over the upload rate is granted again exactly at the announced time', async (t) => {
    const { requestSlot, setRules, services, advance } = await openTestServices(t);
    setRules({ access: access({ uploads_per: { period: HOUR, uploads: 2 } }), slotTimeout: 2 * HOUR });
    await requestSlot();
    advance(10 * MINUTE);
    await requestSlot();
    const refusal = await refused(requestSlot());
    assert.match(refusal.message, /2 of 2 files in the last hour/);
    const retryAt = refusal.retryAt ?? assert.fail('no moment was promised');
    assert.equal(retryAt - services.clock(), 50 * MINUTE);
    advance(50 * MINUTE);
    await requestSlot();
  });

  test('that can never fit is refused without a retry time', async (t) => {
    const { requestSlot, setRules } = await openTestServices(t);
    setRules({ access: access({ bytes_per: { period: HOUR, bytes: 50 } }) });
    const refusal = await refused(requestSlot());
    assert.equal(refusal.retryAt, undefined);
    assert.doesNotMatch(refusal.message, /delete some files/);
  });

  test('to a full service is refused as service_full', async (t) => {
    const { requestSlot, setRules } = await openTestServices(t);
    setRules({ globalQuota: 150 });
    await requestSlot();
    assert.equal((await refused(requestSlot({ jid: 'juliet@example.org' }))).code, 'service_full');
  });

  test('with a purpose that is not offered is refused instead of stored with another retention', async (t) => {
    const { requestSlot } = await openTestServices(t);
    assert.equal((await refused(requestSlot({ purpose: 'permanent' }))).code, 'purpose_not_offered');
  });

  test('keeps the requested purpose, or the one derived from the file name', async (t) => {
    const { requestSlot, services } = await openTestServices(t);
    const asked = await requestSlot({ purpose: 'profile' });
    const slot = await requestSlot({ name: 'story_1.jpg' });
    assert.equal((await services.ledger.find(asked.id))?.purpose, 'profile');
    assert.equal((await services.ledger.find(slot.id))?.purpose, 'ephemeral');
  });

  test('with a purpose that has its limits obeys them and those of the rule', async (t) => {
    const { requestSlot, setRules } = await openTestServices(t);
    const purposes = { profile: { max_age: null, max_file_size: 150, max_total_size: 150 } };
    setRules({ retention: { ...retention, purposes }, access: access({ max_file_size: 1000 }) });
    await requestSlot({ purpose: 'profile' });
    assert.equal((await refused(requestSlot({ purpose: 'profile', size: 151 }))).maxFileSize, 150);
    assert.equal((await refused(requestSlot({ purpose: 'profile' }))).code, 'quota_exceeded');
    await requestSlot({ size: 500 });
  });

  test('with an expiry in the past is refused', async (t) => {
    const { requestSlot, services } = await openTestServices(t);
    assert.equal((await refused(requestSlot({ expiresAt: services.clock() }))).code, 'bad_request');
    const slot = await requestSlot({ expiresAt: services.clock() + HOUR });
    assert.equal((await services.ledger.find(slot.id))?.expiresAt, services.clock() + HOUR);
  });

  test('releases its quota when the slot expires unused', async (t) => {
    const { requestSlot, setRules, services, advance } = await openTestServices(t);
    setRules({ access: access({ max_total_size: 100, uploads_per: { period: HOUR, uploads: 1 } }) });
    const slot = await requestSlot();
    const refusal = await refused(requestSlot());
    assert.equal(refusal.retryAt, slot.deadline);
    advance(slot.deadline - services.clock());
    await requestSlot();
  });

  test('evicts the oldest uploads if the rule has when_full: evict', async (t) => {
    const { upload, requestSlot, setRules, services, advance } = await openTestServices(t);
    setRules({ access: access({ max_total_size: 250, when_full: 'evict' }) });
    const kept = await upload({ purpose: 'profile' });
    advance(1000);
    const oldest = await upload();
    advance(1000);
    await requestSlot();
    assert.equal(await services.ledger.find(oldest.id), undefined);
    assert.equal((await services.ledger.findRemoval(oldest.id))?.reason, 'evicted');
    assert.equal((await services.ledger.find(kept.id))?.state, 'stored');
  });
});

describe('the announced size limit', () => {
  test('is the file size limit, but at most what the quotas could hold', async (t) => {
    const { services, setRules } = await openTestServices(t);
    setRules({ access: access({ max_file_size: 1000, max_total_size: 600 }) });
    assert.equal(maxFileSizeFor(services, 'romeo@example.org'), 1000);
    assert.equal(announcedMaxSizeFor(services, 'romeo@example.org/x'), 600);
    setRules({ access: access() });
    assert.equal(maxFileSizeFor(services, 'romeo@example.org'), null);
    assert.throws(() => maxFileSizeFor(services, 'eve@elsewhere.example'), { code: 'denied' });
  });
});

describe('links', () => {
  test('for upload and download share only the file name', async (t) => {
    const slot = await (await openTestServices(t)).requestSlot({ name: 'très cool.jpg' });
    const put = putUrl('https://up.example.org/share', slot.token, slot.name);
    const get = getUrl('https://up.example.org', slot);
    assert.match(put, /^https:\/\/up\.example\.org\/share\/put\/[0-9a-z]{26}\/tr%C3%A8s%20cool\.jpg$/);
    assert.match(get, /^https:\/\/up\.example\.org\/files\/[0-9a-z]{26}\/tr%C3%A8s%20cool\.jpg$/);
    assert.notEqual(slot.token, slot.id);
    assert.equal(idInPath(new URL(get).pathname, '/files/'), slot.id);
  });

  test('are resolved by their id alone', () => {
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
