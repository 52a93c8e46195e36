import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HttpResponse, httpRequest } from '../../support/http.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { getSlot, sendSlotRequest, uploadFile } from '../support/slots.ts';

const config = {
  slot_api: {},
  slots: { timeout: '2s' },
  global_quota: '1 MB',
  access: [
    { jid: '^small@', max_file_size: 1000 },
    { jid: '^total@', max_total_size: 1000 },
    { jid: '^crowd@', max_total_size: 1000 },
    { jid: '^bytes@', bytes_per: { period: '2s', bytes: 1000 } },
    { jid: '^often@', uploads_per: { period: '2s', uploads: 2 } },
    { jid: '^types@', allowed_types: ['image/*'] },
    { jid: '^evict@', max_total_size: 1000, when_full: 'evict' },
    { jid: '^denied@', deny: true },
    { jid: '^free@' },
  ],
};

describe('Refusals of the slot API', { concurrency: true }, () => {
  let porter: PorterProcess;
  before(async () => {
    porter = await startPorter({ config });
  });
  after(() => porter.remove());

  const ofSize = (jid: string, size: number, type?: string) =>
    sendSlotRequest(porter, { jid: `${jid}@example.org`, size, ...(type && { type }) });

  /** Checks that a request is refused with 402 and a retry time, and granted at that time. */
  async function refusedUntil(answer: HttpResponse, again: () => Promise<HttpResponse>): Promise<void> {
    assert.equal(answer.status, 402, answer.text);
    const seconds = Number(answer.headers['retry-after']);
    assert.ok(seconds >= 1 && seconds <= 3, `Retry-After: ${answer.headers['retry-after']}`);
    await sleep(seconds * 1000);
    const granted = await again();
    assert.equal(granted.status, 200, granted.text);
  }

  test('a file above max_file_size gets 413 with the limit', async () => {
    const { status, text } = await ofSize('small', 1001);
    assert.equal(status, 413);
    assert.match(text, /1000/);
    assert.equal((await ofSize('small', 1000)).status, 200);
  });

  test('a JID that a rule denies, or that no rule matches, gets 403', async () => {
    assert.equal((await ofSize('denied', 5)).status, 403);
    assert.equal((await ofSize('unmatched', 5)).status, 403);
  });

  test('a forbidden type gets 403, and an allowed one a slot', async () => {
    assert.equal((await ofSize('types', 5, 'application/pdf')).status, 403);
    assert.equal((await ofSize('types', 5, 'image/png')).status, 200);
  });

  test('max_total_size counts open slots until they expire', async () => {
    assert.equal((await ofSize('total', 800)).status, 200);
    await refusedUntil(await ofSize('total', 800), () => ofSize('total', 800));
  });

  test('a file above the total quota is refused without a retry time', async () => {
    const { status, headers } = await ofSize('total', 1001);
    assert.equal(status, 402);
    assert.equal(headers['retry-after'], undefined);
  });

  test('bytes_per allows uploads again after its period', async () => {
    await uploadFile(porter, randomBytes(900), { jid: 'bytes@example.org' });
    await refusedUntil(await ofSize('bytes', 900), () => ofSize('bytes', 900));
  });

  test('uploads_per allows uploads again after its period', async () => {
    await uploadFile(porter, randomBytes(5), { jid: 'often@example.org' });
    await uploadFile(porter, randomBytes(6), { jid: 'often@example.org' });
    await refusedUntil(await ofSize('often', 5), () => ofSize('often', 5));
  });

  test('with evict the oldest file is removed to free space', async () => {
    const jid = 'evict@example.org';
    const first = await uploadFile(porter, randomBytes(400), { jid });
    const second = await uploadFile(porter, randomBytes(401), { jid });
    const third = await uploadFile(porter, randomBytes(402), { jid });
    await porter.program.waitFor('a 404', async () => (await httpRequest(first)).status === 404);
    assert.deepEqual([(await httpRequest(second)).status, (await httpRequest(third)).status], [200, 200]);
    assert.match((await porter.runCommand('why', first)).stdout, /removed to make space/);
  });

  test('concurrent requests never exceed the quota', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => ofSize('crowd', 100)));
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 10);
    assert.equal(statuses.filter((status) => status === 402).length, 30);
  });
});

test('the global quota also applies to users without limits', async () => {
  const porter = await startPorter({ config });
  try {
    await getSlot(porter, { jid: 'free@example.org', size: 900_000 });
    const refused = await sendSlotRequest(porter, { jid: 'free@example.org', size: 200_000 });
    assert.equal(refused.status, 402, refused.text);
    assert.match(refused.text, /service/);
    await sleep(Number(refused.headers['retry-after']) * 1000);
    assert.equal((await sendSlotRequest(porter, { jid: 'free@example.org', size: 200_000 })).status, 200);
  } finally {
    await porter.remove();
  }
});
