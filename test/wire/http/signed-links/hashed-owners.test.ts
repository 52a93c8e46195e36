import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jidSha1, ownerFromSha1 } from '../../../../src/base/owners.ts';
import { eraseOwner } from '../../../../src/uploads/remove.ts';
import { access } from '../../../support/test-services.ts';
import {
  ejabberdPath,
  JULIET,
  startTestSignedLinksServer,
} from '../../../support/test-signed-links-server.ts';
import { BODY } from './sample-file.ts';

describe("ejabberd's links, which begin with the hash of a JID", () => {
  const path = ejabberdPath(JULIET, 'a.jpg');

  test('are charged to the hash while the JID is unknown', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(path, BODY)).status, 201);
    assert.equal((await server.services.ledger.usage(ownerFromSha1(jidSha1(JULIET)))).bytes, 100);
  });

  test('limit each such user to external.max_total_size', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ maxTotalSize: 150 });
    assert.equal((await server.putV(path, BODY)).status, 201);
    const reply = await server.putV(ejabberdPath(JULIET, 'b.jpg'), BODY);
    assert.equal(reply.status, 507);
    assert.match(reply.text, /storage is full/);
    assert.equal((await server.putV(ejabberdPath('romeo@example.org', 'b.jpg'), BODY)).status, 201);
  });

  test('limit each such user to external.max_files', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.changeExternal({ maxFiles: 1 });
    assert.equal((await server.putV(path, BODY)).status, 201);
    const reply = await server.putV(ejabberdPath(JULIET, 'b.jpg'), BODY);
    assert.equal(reply.status, 507);
    assert.match(reply.text, /You have 1 of 1 file,/);
    assert.equal((await server.putV(ejabberdPath('romeo@example.org', 'b.jpg'), BODY)).status, 201);
  });

  test('use the rule and quota of a JID that has a slot or file', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({ access: access({ max_total_size: 250, max_file_size: 150 }) });
    await server.upload({ jid: JULIET });
    assert.equal((await server.putV(path, BODY)).status, 201);
    assert.equal((await server.services.ledger.usage(JULIET)).bytes, 200);
    assert.equal((await server.putV(ejabberdPath(JULIET, 'b.jpg'), BODY)).status, 507);
    assert.equal((await server.putV(ejabberdPath(JULIET, 'c.jpg'), 'x'.repeat(151))).status, 413);
  });

  test('of a user with a rule carry no larger file than external.max_file_size', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({ access: access({ max_file_size: 150 }) });
    await server.upload({ jid: JULIET });
    server.changeExternal({ maxFileSize: 120 });
    const reply = await server.putV(path, 'x'.repeat(121));
    assert.equal(reply.status, 413);
    assert.match(reply.text, /maximum file size is 120 bytes/);
    assert.equal((await server.putV(path, 'x'.repeat(120))).status, 201);
  });

  test('use the rule of a JID that the config names', async (t) => {
    const server = await startTestSignedLinksServer(t);
    server.setRules({
      access: access({ jid: ['^juliet@example\\.org$'], deny: true }),
      jidsBySha1: new Map([[jidSha1(JULIET), JULIET]]),
    });
    const reply = await server.putV(path, BODY);
    assert.equal(reply.status, 403);
    assert.match(reply.text, /juliet@example\.org may not upload/);
  });

  test('keep their charge when the JID becomes known later', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(path, BODY)).status, 201);
    server.setRules({ access: access({ max_total_size: 150 }) });
    await assert.rejects(server.upload({ jid: JULIET }), /100 bytes of 150 bytes used/);
    assert.equal((await server.services.ledger.usage(JULIET)).bytes, 100);
  });

  test('are removed with the data of the JID, known or not', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV(path, BODY)).status, 201);
    assert.equal(await eraseOwner(server.services, JULIET), 1);
    assert.equal((await server.putV(path, BODY)).status, 409);
    assert.equal((await server.services.ledger.stats()).owners, 0);
  });

  test('with a local part in front (jid_in_url: node) belong to the owner external', async (t) => {
    const server = await startTestSignedLinksServer(t);
    assert.equal((await server.putV('juliet/A1b2/a.jpg', BODY)).status, 201);
    assert.equal((await server.services.ledger.usage('external')).uploads, 1);
  });
});
