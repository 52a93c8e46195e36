import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  AbortMultipartUploadCommand,
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

describe('With blobs on S3, Porter', { skip: needs('ceph') }, () => {
  let s3: S3Server;
  let bucket: string;
  let porter: PorterProcess;
  const settings = (blobs: string) => ({ ...openSlotConfig, storage: { blobs, ledger: './porter.db' } });
  before(async () => {
    s3 = await startS3();
    // Commands next to the server inherit the environment.
    Object.assign(process.env, s3.env);
    bucket = await s3.createBucket();
    porter = await startPorter({ config: settings(s3.blobsUrl(bucket)) });
  });
  after(async () => {
    await porter?.remove();
    await s3?.remove();
  });

  /** The files, without the marker of the store. */
  const objects = async () => {
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
    return Contents.map(({ Key = '' }) => Key).filter((key) => !key.endsWith('/porter-store-id'));
  };
  const unfinished = async () => {
    const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    return Uploads;
  };

  test('stores files of all sizes, and serves them whole and in ranges until they are deleted', async () => {
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

  test('leaves no parts of an interrupted upload, whose slot can be used again', async () => {
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

  test('forgets a user with all files', async () => {
    for (let file = 0; file < 5; file += 1)
      await uploadFile(porter, randomBytes(1000), { jid: 'juliet@example.org' });
    const before = (await objects()).length;
    assert.equal((await porter.runCommand('forget', '--force', 'juliet@example.org')).code, 0);
    assert.equal((await objects()).length, before - 5);
  });

  test('finds and repairs missing objects with fsck, and keeps objects younger than an hour', async () => {
    const lost = await uploadFile(porter, randomBytes(1000));
    const [id = ''] = /[0-9a-z]{16,}/.exec(lost) ?? [];
    const name = (await objects()).find((key) => key.includes(id)) ?? '';
    await s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: name }));
    const place = (id: string) => ({ Bucket: bucket, Key: `some/files/${id.slice(0, 2)}/${id}.bin` });
    await s3.client.send(new PutObjectCommand({ ...place(MISSING), Body: 'orphan' }));
    const parts = place('11111111111111111111');
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand(parts));
    await s3.client.send(new UploadPartCommand({ ...parts, UploadId, PartNumber: 1, Body: 'a part' }));

    const found = await porter.runCommand('fsck');
    assert.equal(found.code, 1, found.stdout);
    assert.match(found.stdout, new RegExp(id), found.stdout);
    for (const young of [MISSING, '11111111111111111111'])
      assert.doesNotMatch(found.stdout, new RegExp(young), found.stdout);
    await porter.runCommand('fsck', '--repair', '--force');
    const again = await porter.runCommand('fsck');
    assert.equal(again.code, 0, again.stdout);
    assert.equal((await httpRequest(lost)).status, 404);
    assert.equal((await unfinished()).length, 1);
    await s3.client.send(new AbortMultipartUploadCommand({ ...parts, UploadId }));
    await s3.client.send(new DeleteObjectCommand(place(MISSING)));
  });

  test('sweeps expired files, and keeps the parts of uploads in progress', async () => {
    await uploadFile(porter, randomBytes(1000));
    const body = randomBytes(30 * MB);
    const slot = await getSlot(porter, { size: body.length });
    const put = await startPut(slot.put, body, 20 * MB);
    await porter.program.waitFor('parts', async () => (await unfinished()).length === 1);
    const swept = await porter.runCommand('cleanup', '--force', '--max-age', '1s');
    assert.equal(swept.code, 0, swept.stderr);
    const checked = await porter.runCommand('fsck', '--repair');
    assert.equal(checked.code, 0, checked.stdout);
    assert.equal((await unfinished()).length, 1);
    assert.equal((await put.finish()).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  });

  test('answers 507 with a reason when the bucket is full, keeps nothing, and recovers once there is space', async () => {
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

  test('answers 500 with a reason while S3 is down, reports it in /readyz, and recovers with S3', async () => {
    const kept = randomBytes(200_000);
    const link = await uploadFile(porter, kept);
    await s3.killGateway();
    try {
      const slot = await getSlot(porter, { size: 1000 });
      const refused = await httpRequest(slot.put, { method: 'PUT', body: randomBytes(1000) });
      assert.equal(refused.status, 500);
      assert.match(refused.text, /^[^\n/]+\n?$/);
      assert.equal((await httpRequest(link)).status, 500);
      let ready = await httpRequest(`${porter.url}/readyz`);
      await porter.program.waitFor('503', async () => {
        ready = await httpRequest(`${porter.url}/readyz`);
        return ready.status === 503;
      });
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

  test('passes porter doctor, which reports problems of the bucket', async () => {
    const well = await runDoctor(`${porter.folder}/porter.yml`);
    assertFindings(well, 'fail', {});
    const diagnosis = await runDoctor(`${porter.folder}/porter.yml`, [], {
      AWS_SECRET_ACCESS_KEY: 'another',
    });
    assertFindings(diagnosis, 'fail', { stores: /the secret key does not belong to the access key/ });
  });
});

describe('At startup, Porter reports', { skip: needs('ceph') }, () => {
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
    ['a missing bucket', (s3) => [s3.blobsUrl('nowhere')], /There is no bucket nowhere at http.*create=true/],
    [
      'an unknown access key',
      (s3) => [s3.blobsUrl('nowhere'), { AWS_ACCESS_KEY_ID: 'unknown' }],
      /does not know the access key\. Check AWS_ACCESS_KEY_ID/,
    ],
    [
      'a wrong secret key',
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
      /No S3 credentials found\. Set AWS_ACCESS_KEY_ID/,
    ],
    [
      'an address without a server',
      () => ['s3://files?endpoint=http://127.0.0.1:1&path_style=true'],
      /No answer from http:\/\/127\.0\.0\.1:1/,
    ],
  ];
  for (const [name, given, words] of faults) {
    test(name, async () => {
      const { code, stderr } = await startWith(...given(s3));
      assert.equal(code, 1, stderr);
      assert.match(stderr, words);
    });
  }

  test('nothing if it may create the bucket', async () => {
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
    assert.equal(Contents?.length, 2, 'the file and the marker of the store');
  });
});
