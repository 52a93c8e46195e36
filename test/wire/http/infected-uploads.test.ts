import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeForm, type HttpResponse } from '../../support/http.ts';
import { startInfectedClamd } from '../../support/infected-clamd.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { basic, startTestMessageServer } from '../../support/test-message-server.ts';
import type { TestServices } from '../../support/test-services.ts';
import { ADMIN, ROMEO, startTestWebServer } from '../../support/test-web-server.ts';
import { waitUntil } from '../../support/wait-until.ts';

const SMALL = Buffer.from('infected');
const LARGE = Buffer.alloc(300_000, 'infected');

/** Checks that the file was refused, that its quota is free, and that only the quarantine has it. */
async function assertRefused({ services }: TestServices, answer: HttpResponse, body: Buffer): Promise<void> {
  assert.equal(answer.status, 422, answer.text);
  assert.match(answer.text, /virus scanner has found Test\.Virus/);
  const { ledger, blobs } = services;
  const { uploads, pendingUploads } = await ledger.stats();
  assert.deepEqual([uploads, pendingUploads], [0, 0]);
  const [found] = await ledger.listQuarantine({ limit: 1 });
  assert.equal(await blobs.size(found?.blob ?? ''), body.length);
}

describe('an infected file', () => {
  for (const body of [SMALL, LARGE]) {
    const size = `of ${body.length} bytes`;

    test(`${size} is refused in a form, at the share path, and in an upload without its length`, async (t) => {
      const server = await startTestMessageServer(t);
      server.setRules({ content: { hash: false, scan: await startInfectedClamd(t) } });
      const form = await encodeForm((fields) =>
        fields.append('file', new File([new Uint8Array(body)], 'a.doc')),
      );
      await assertRefused(server, await server.post('/msg/juliet', form.body, form.headers), body);
      assert.equal(server.delivered.length, 0, 'no message has a link to it');
      const headers = { Authorization: basic() };
      await assertRefused(
        server,
        await server.request('/share/a.doc', { method: 'PUT', body, headers }),
        body,
      );
      const chunked = { ...headers, 'Transfer-Encoding': 'chunked' };
      await assertRefused(
        server,
        await server.request('/share/b.doc', { method: 'PUT', body, headers: chunked }),
        body,
      );
    });

    test(`${size} is refused from the web page and from guests, and is gone after its time`, async (t) => {
      const server = await startTestWebServer(t);
      server.setRules({ content: { hash: false, scan: await startInfectedClamd(t) } });
      const as = await server.signIn(ROMEO);
      const file = { name: 'a.doc', size: body.length, type: 'text/plain' };
      const slot = await server.ok<{ putUrl: string }>('createSlot', { as, body: file });
      const put = (url: string) => server.request(new URL(url).pathname, { method: 'PUT', body });
      await assertRefused(server, await put(slot.putUrl), body);
      assert.equal((await put(slot.putUrl)).status, 422, 'as a repetition is');

      const expiresAt = new Date(server.services.clock() + 3_600_000).toISOString();
      const { token } = await server.ok<{ token: string }>('createGuestLink', { as, body: { expiresAt } });
      const guest = await server.ok<{ putUrl: string }>('createGuestSlot', { params: { token }, body: file });
      await assertRefused(server, await put(guest.putUrl), body);

      const { ledger } = server.services;
      server.advance(1000);
      assert.equal(
        (await ledger.sweep({ kind: 'quarantine', limit: 9, now: server.services.clock() })).count,
        2,
      );
      assert.equal((await pendingKeys(ledger)).length, 2);
      assert.equal((await put(slot.putUrl)).status, 403, 'the slot is unknown now');
    });
  }

  test('leaves only a record if its bytes are not kept', async (t) => {
    const server = await startTestWebServer(t);
    const scan = { ...(await startInfectedClamd(t)), quarantineMs: 0 };
    server.setRules({ content: { hash: false, scan } });
    const [as, admin] = [await server.signIn(ROMEO), await server.signIn(ADMIN)];
    const file = { name: 'a.doc', size: LARGE.length, type: 'text/plain' };
    const slot = await server.ok<{ id: string; putUrl: string }>('createSlot', { as, body: file });
    const put = () => server.request(new URL(slot.putUrl).pathname, { method: 'PUT', body: LARGE });
    assert.equal((await put()).status, 422);
    assert.equal((await put()).status, 422);
    const [record] = await server.services.ledger.listQuarantine({ limit: 1 });
    assert.equal(record?.blob, null);
    await waitUntil(async () => (await pendingKeys(server.services.ledger)).length === 0);
    const params = { id: slot.id };
    for (const route of ['releaseQuarantined', 'downloadQuarantined'] as const)
      assert.equal((await server.call(route, { as: admin, params })).status, 404);
  });
});
