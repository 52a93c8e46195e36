import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explain } from '../../../src/uploads/explain/explain.ts';
import { sendRequest } from '../../support/http.ts';
import type { TestServices } from '../../support/test-services.ts';
import {
  ejabberdPath,
  JULIET,
  startTestSignedLinksServer,
  UUID,
} from '../../support/test-signed-links-server.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Returns the refusals that `porter why` shows for a user. */
async function refusalsOf({ services }: TestServices, jid: string) {
  await services.refusals.flush();
  const explanation = await explain(services, jid);
  assert.ok(explanation.about === 'owner');
  return explanation.refusals;
}

function refusedLines({ logLines }: TestServices) {
  return logLines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'upload refused');
}

describe('a refused PUT', () => {
  test('is one line with JID, endpoint, code and text, and porter why shows it', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const slot = await server.grantSlot();
    assert.equal((await server.put(slot, 'short')).status, 400);
    const [line, ...more] = refusedLines(server);
    assert.deepEqual(more, []);
    assert.deepEqual(
      [line.level, line.jid, line.endpoint, line.code, line.id],
      [30, 'romeo@example.org', 'component', 'size_mismatch', slot.id],
    );
    assert.match(line.text, /5 bytes/);
    const [shown] = await refusalsOf(server, 'romeo@example.org');
    assert.deepEqual(
      [shown?.uploadId, shown?.code, shown?.text, shown?.name, shown?.size],
      [slot.id, 'size_mismatch', line.text, 'a.jpg', 100],
    );
    const metrics = await server.services.metrics.registry.metrics();
    assert.match(metrics, /^porter_refusals_total\{endpoint="component",reason="size_mismatch"\} 1$/m);
  });

  test('has an owner also if it is malformed or comes too late', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const slot = await server.grantSlot();
    const chunked = { method: 'PUT', headers: { 'Transfer-Encoding': 'chunked' }, body: 'x' };
    const answer = await sendRequest({ host: '127.0.0.1', port: server.port }, slot.putPath, chunked);
    assert.equal(answer.status, 411);
    await waitUntil(() => refusedLines(server).length === 1);
    server.advance(7 * 60_000);
    assert.equal((await server.put(slot, 'x'.repeat(100))).status, 403);
    await waitUntil(() => refusedLines(server).length === 2);
    const codes = (await refusalsOf(server, 'romeo@example.org')).map(({ code }) => code);
    assert.deepEqual(codes, ['slot_unknown', 'length_required']);
    const explanation = await explain(server.services, slot.id);
    assert.ok(explanation.about === 'upload');
    assert.notEqual(explanation.upload.lastPutAt, undefined, 'a PUT has come');
    assert.equal(explanation.refusals.length, 2);
  });

  test('to a signed link has the owner that the link or token names', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const path = ejabberdPath(JULIET, 'a.jpg');
    server.changeExternal({ maxFileSize: 3 });
    assert.equal((await server.putV(path, 'too large')).status, 413);
    const expired = { exp: server.now() - 1 };
    assert.equal((await server.putFileShare(`${UUID}/a.jpg`, 'x', expired)).status, 403);
    const shown = await refusalsOf(server, JULIET);
    assert.deepEqual(shown.map(({ endpoint, code }) => `${endpoint} ${code}`).toSorted(), [
      'external file_too_large',
      'file_share slot_unknown',
    ]);
  });

  test('of a stranger is logged, but leaves nothing in the ledger', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const unknown = { ...(await server.grantSlot()), putPath: `/put/${'0'.repeat(26)}/a.jpg` };
    assert.equal((await server.put(unknown, 'x')).status, 403);
    const path = ejabberdPath(JULIET, 'a.jpg');
    assert.equal((await server.request(`/upload/${path}?v=00`, { method: 'PUT', body: 'x' })).status, 403);
    await waitUntil(() => refusedLines(server).length === 2);
    assert.deepEqual(
      refusedLines(server)
        .map(({ code, jid }) => [code, jid])
        .toSorted(),
      [
        ['signature_wrong', undefined],
        ['slot_unknown', undefined],
      ],
    );
    assert.deepEqual(await refusalsOf(server, JULIET), []);
  });
});

describe('a PUT that is longer than its slot', () => {
  test('by as much as encryption adds tells that the client encrypted too late', async (t) => {
    const server = await startTestSignedLinksServer(t);
    const slot = await server.grantSlot({ size: 100 });
    for (const [size, hint] of [
      [116, /encrypted the file after it requested the slot: encryption adds 16 bytes/],
      [132, /encrypted the file after/],
      [115, /slot was requested for 100\.\n$/],
      [133, /slot was requested for 100\.\n$/],
      [84, /slot was requested for 100\.\n$/],
    ] as const) {
      const answer = await server.put(slot, 'x'.repeat(size));
      assert.equal(answer.status, 400);
      assert.match(answer.text, hint, String(size));
    }
  });
});
