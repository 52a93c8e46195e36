import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type S3Server, startS3 } from '../peers/s3.ts';
import {
  createTemporaryFolder,
  type PorterProcess,
  runPorter,
  startPorter,
} from '../support/porter-process.ts';
import { assertFindings, runDoctor } from '../support/run-doctor.ts';
import { getSlot, openSlotConfig, startPut, uploadFile, waitForTransfers } from '../support/slots.ts';

const MB = 1_000_000;
const MISSING = '00000000000000000000';

describe('with its files on S3, Porter', { skip: needs('ceph') }, () => {
  let s3: S3Server;
  let bucket: string;
  let porter: PorterProcess;
  const settings = (blobs: string) => ({ ...openSlotConfig, storage: { blobs, ledger: './porter.db' } });
  before(async () => {
    s3 = await startS3();
    // Commands beside the server inherit it.
    Object.assign(process.env, s3.env);
    bucket = await s3.createBucket();
    porter = await startPorter({ config: settings(s3.blobsUrl(bucket)) });
  });
  after(async () => {
    await porter?.remove();
    await s3?.remove();
  });

  const objects = async () => {
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
    return Contents.map(({ Key = '' }) => Key);
  };
  const unfinished = async () => {
    const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    return Uploads;
  };

  test('takes files of all sizes, and gives them back whole and in parts, until they are deleted', async () => {
    const ids: string[] = [];
    for (const size of [1, 60_000, 3 * MB, 8 * 1024 * 1024, 30 * MB]) {
      const body = randomBytes(size);
      const link = await uploadFile(porter, body, { type: 'image/jpeg' });
      const [whole, head] = [await httpRequest(link), await httpRequest(link, { method: 'HEAD' })];
      assert.ok(whole.body.equals(body), `${size} bytes`);
      assert.equal(head.headers['content-length'], String(size));
      assert.equal(whole.headers['content-type'], 'image/jpeg');
      const part = await httpRequest(link, { headers: { Range: `bytes=${size >> 1}-` } });
      assert.equal(part.status, 206);
      assert.ok(part.body.equals(body.subarray(size >> 1)));
      ids.push(...(/[0-9a-z]{16,}/.exec(link) ?? []));
    }
    assert.equal((await porter.runCommand('delete', ...ids)).code, 0);
    assert.deepEqual(await objects(), []);
    assert.deepEqual(await unfinished(), []);
  });

  test('leaves no parts of an upload that is cut, and its slot works again', async () => {
    const body = randomBytes(30 * MB);
    const slot = await getSlot(porter, { size: body.length });
    const before = await objects();
    const put = await startPut(slot.put, body, 20 * MB);
    await porter.program.waitFor('parts', async () => (await unfinished()).length === 1);
    put.destroy();
    await waitForTransfers(porter, 0);
    assert.deepEqual(await unfinished(), []);
    assert.deepEqual(await objects(), before);
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  });

  test('forgets a user, files and all', async () => {
    for (let file = 0; file < 5; file += 1)
      await uploadFile(porter, randomBytes(1000), { jid: 'juliet@example.org' });
    const before = (await objects()).length;
    assert.equal((await porter.runCommand('forget', 'juliet@example.org')).code, 0);
    assert.equal((await objects()).length, before - 5);
  });

  test('finds by fsck what is lost and what is nobody’s, and repairs it', async () => {
    const lost = await uploadFile(porter, randomBytes(1000));
    const [id = ''] = /[0-9a-z]{16,}/.exec(lost) ?? [];
    const name = (await objects()).find((key) => key.includes(id)) ?? '';
    await s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: name }));
    const place = (id: string) => ({ Bucket: bucket, Key: `some/files/${id.slice(0, 2)}/${id}.bin` });
    await s3.client.send(new PutObjectCommand({ ...place(MISSING), Body: 'nobody’s' }));
    const parts = place('11111111111111111111');
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand(parts));
    await s3.client.send(new UploadPartCommand({ ...parts, UploadId, PartNumber: 1, Body: 'a part' }));

    const found = await porter.runCommand('fsck');
    assert.equal(found.code, 1, found.stdout);
    for (const word of [id, MISSING, '11111111111111111111'])
      assert.match(found.stdout, new RegExp(word), found.stdout);
    await porter.runCommand('fsck', '--repair');
    const again = await porter.runCommand('fsck');
    assert.equal(again.code, 0, again.stdout);
    assert.equal((await httpRequest(lost)).status, 404);
    assert.deepEqual(await unfinished(), []);
  });

  test('sweeps what is past its time, and never the parts of somebody who is just uploading', async () => {
    await uploadFile(porter, randomBytes(1000));
    const body = randomBytes(30 * MB);
    const slot = await getSlot(porter, { size: body.length });
    const put = await startPut(slot.put, body, 20 * MB);
    await porter.program.waitFor('parts', async () => (await unfinished()).length === 1);
    const swept = await porter.runCommand('cleanup', '--max-age', '1s');
    assert.equal(swept.code, 0, swept.stderr);
    const checked = await porter.runCommand('fsck', '--repair');
    assert.equal(checked.code, 0, checked.stdout);
    assert.equal((await unfinished()).length, 1);
    assert.equal((await put.finish()).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  });

  test('answers 507 in words when the bucket is full, keeps nothing of it, and goes on when there is room', async () => {
    const before = await objects();
    await s3.setQuota(1);
    try {
      for (const size of [1000, 30 * MB]) {
        const body = randomBytes(size);
        const slot = await getSlot(porter, { size });
        let refused = await httpRequest(slot.put, { method: 'PUT', body });
        assert.equal(refused.status, 507, refused.text);
        assert.match(refused.text, /^[^\n/]+\n?$/);
        assert.deepEqual(await unfinished(), []);
        assert.deepEqual(await objects(), before);
        await s3.setQuota(null);
        await porter.program.waitFor('room', async () => {
          refused = await httpRequest(slot.put, { method: 'PUT', body });
          return refused.status === 201;
        });
        await s3.setQuota(1);
        before.splice(0, before.length, ...(await objects()));
      }
    } finally {
      await s3.setQuota(null);
    }
  });

  test('says 500 in words while S3 is away, /readyz says it, and all is well when it is back', async () => {
    const kept = randomBytes(200_000);
    const link = await uploadFile(porter, kept);
    await s3.killGateway();
    try {
      const slot = await getSlot(porter, { size: 1000 });
      const refused = await httpRequest(slot.put, { method: 'PUT', body: randomBytes(1000) });
      assert.equal(refused.status, 500);
      assert.match(refused.text, /^[^\n/]+\n?$/);
      assert.equal((await httpRequest(link)).status, 500);
      const ready = await httpRequest(`${porter.url}/readyz`);
      assert.equal(ready.status, 503);
      assert.match(ready.text, /"blobs"/);
      assert.equal((await httpRequest(`${porter.url}/healthz`)).status, 200);
    } finally {
      await s3.start();
    }
    await porter.program.waitFor(
      'ready again',
      async () => (await httpRequest(`${porter.url}/readyz`)).status === 200,
    );
    assert.ok((await httpRequest(link)).body.equals(kept));
    await uploadFile(porter, randomBytes(10 * MB));
  });

  test('passes its own doctor, who knows what is wrong with the bucket', async () => {
    const well = await runDoctor(`${porter.folder}/porter.yml`);
    assertFindings(well, 'fail', {});
    const diagnosis = await runDoctor(`${porter.folder}/porter.yml`, [], {
      AWS_SECRET_ACCESS_KEY: 'another',
    });
    assertFindings(diagnosis, 'fail', { stores: /the secret key does not belong to the access key/ });
  });
});

describe('at the start, Porter says what is wrong with S3:', { skip: needs('ceph') }, () => {
  let s3: S3Server;
  before(async () => {
    s3 = await startS3();
  });
  after(() => s3?.remove());

  async function startWith(blobs: string, env: Readonly<Record<string, string>> = {}) {
    const cwd = await createTemporaryFolder();
    const config = { listen: '127.0.0.1:0', storage: { blobs, ledger: './porter.db' } };
    await writeFile(join(cwd, 'porter.yml'), JSON.stringify(config));
    const end = await runPorter(['serve', '-c', 'porter.yml'], { cwd, env: { ...s3.env, ...env } });
    await rm(cwd, { recursive: true });
    return end;
  }

  const faults: [string, (place: S3Server) => [string, Record<string, string>?], RegExp][] = [
    [
      'a bucket that is not there',
      (s3) => [s3.blobsUrl('nowhere')],
      /There is no bucket nowhere at http.*create=true/,
    ],
    [
      'a key that nobody knows',
      (s3) => [s3.blobsUrl('nowhere'), { AWS_ACCESS_KEY_ID: 'stranger' }],
      /does not know the access key: look at AWS_ACCESS_KEY_ID/,
    ],
    [
      'a secret that is not the right one',
      (s3) => [s3.blobsUrl('nowhere'), { AWS_SECRET_ACCESS_KEY: 'wrong' }],
      /the secret key does not belong to the access key/,
    ],
    [
      'no keys at all',
      (s3) => [
        s3.blobsUrl('nowhere'),
        {
          AWS_ACCESS_KEY_ID: '',
          AWS_SECRET_ACCESS_KEY: '',
          AWS_EC2_METADATA_DISABLED: 'true',
          HOME: '/nonexistent',
        },
      ],
      /There are no keys for S3: set AWS_ACCESS_KEY_ID/,
    ],
    [
      'an address where nobody answers',
      () => ['s3://files?endpoint=http://127.0.0.1:1&path_style=true'],
      /Nobody answers at http:\/\/127\.0\.0\.1:1/,
    ],
  ];
  for (const [name, given, words] of faults) {
    test(name, async () => {
      const { code, stderr } = await startWith(...given(s3));
      assert.equal(code, 1, stderr);
      assert.match(stderr, words);
    });
  }

  test('and makes the bucket where that is wanted', async () => {
    const porter = await startPorter({
      env: s3.env,
      config: {
        ...openSlotConfig,
        storage: { blobs: s3.blobsUrl('made-new', '&create=true'), ledger: './porter.db' },
      },
    });
    try {
      await uploadFile(porter, randomBytes(1000));
    } finally {
      await porter.remove();
    }
    const { Contents } = await s3.client.send(new ListObjectsV2Command({ Bucket: 'made-new' }));
    assert.equal(Contents?.length, 1);
  });
});
