import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { startS3 } from '../peers/s3.ts';
import { startPorter } from '../support/porter-process.ts';
import { getSlot, openSlotConfig } from '../support/slots.ts';

const SENDERS = 8;
/** Uploads acknowledged before the kill. */
const ENOUGH = 40;

// This S3 server stores each object on its disk before it answers, so Porter's 201 has the same guarantee.
test('a kill of S3 during uploads loses no acknowledged one, and the others can be sent again', {
  skip: needs('ceph'),
}, async () => {
  const s3 = await startS3({ backing: 'disk' });
  Object.assign(process.env, s3.env);
  const blobs = s3.blobsUrl(await s3.createBucket());
  const porter = await startPorter({
    config: { ...openSlotConfig, storage: { blobs, ledger: './porter.db' } },
  });
  try {
    const stored: { link: string; body: Buffer }[] = [];
    const failed: { put: string; get: string; body: Buffer }[] = [];
    const sender = async (place: number) => {
      for (let round = 0; failed.length < SENDERS; round += 1) {
        // One sender in four uses a multipart upload.
        const body = randomBytes(place % 4 === 0 ? 12_000_000 : 1 + ((round * 7919) % 100_000));
        const slot = await getSlot(porter, { size: body.length });
        const { status, text } = await httpRequest(slot.put, { method: 'PUT', body });
        if (status === 201) stored.push({ link: slot.get, body });
        else {
          assert.equal(status, 500);
          assert.match(text, /^[^\n/]+\n?$/);
          failed.push({ ...slot, body });
        }
      }
    };
    const senders = Promise.all(Array.from({ length: SENDERS }, (_, place) => sender(place)));
    await porter.program.waitFor('many uploads', () => stored.length >= ENOUGH);
    await s3.kill();
    await senders;
    await s3.start();
    await porter.program.waitFor(
      'ready',
      async () => (await httpRequest(`${porter.url}/readyz`)).status === 200,
    );

    for (const { link, body } of stored) assert.ok((await httpRequest(link)).body.equals(body), link);
    for (const { put, get, body } of failed) {
      assert.equal((await httpRequest(get)).status, 404);
      assert.equal((await httpRequest(put, { method: 'PUT', body })).status, 201);
      assert.ok((await httpRequest(get)).body.equals(body));
    }
    const fsck = await porter.runCommand('fsck');
    assert.equal(fsck.code, 0, fsck.stdout);
  } finally {
    await porter.remove();
    await s3.remove();
  }
});
