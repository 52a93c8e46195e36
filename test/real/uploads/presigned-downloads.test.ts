import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { PutBucketCorsCommand } from '@aws-sdk/client-s3';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type S3Server, startS3 } from '../peers/s3.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { runProgram } from '../support/program.ts';
import { assertFindings, runDoctor } from '../support/run-doctor.ts';
import { openSlotConfig, uploadFile } from '../support/slots.ts';

const NAME = 'Grüße "aus" Köln.jpg';

describe('With downloads.via: presigned', { skip: needs('ceph', 'curl') }, () => {
  let s3: S3Server;
  let bucket: string;
  let porter: PorterProcess;
  before(async () => {
    s3 = await startS3();
    Object.assign(process.env, s3.env);
    bucket = await s3.createBucket();
    const storage = { blobs: s3.blobsUrl(bucket), ledger: './porter.db' };
    porter = await startPorter({
      config: { ...openSlotConfig, storage, downloads: { via: 'presigned' }, retention: { max_age: '1h' } },
    });
  });
  after(async () => {
    await porter?.remove();
    await s3?.remove();
  });

  test('a client that follows redirects gets the file with its type and name directly from S3', async () => {
    const body = randomBytes(9_000_000);
    const link = await uploadFile(porter, body, { name: NAME, type: 'image/jpeg' });
    const direct = await httpRequest(link);
    assert.equal(direct.status, 302);
    assert.equal(direct.body.length, 0);
    assert.equal(direct.headers['cache-control'], 'no-store');
    assert.equal(direct.headers['access-control-allow-origin'], '*');
    assert.ok(direct.headers.location?.startsWith(`${s3.endpoint}/${bucket}/`));

    const there = await httpRequest(direct.headers.location ?? '');
    assert.equal(there.status, 200);
    assert.ok(there.body.equals(body));
    assert.equal(there.headers['content-type'], 'image/jpeg');
    assert.match(there.headers['content-disposition'] ?? '', /^inline; .*filename\*=UTF-8''Gr%C3%BC%C3%9Fe/);
    const [, age = ''] =
      /^public, immutable, max-age=(\d+)$/.exec(there.headers['cache-control'] ?? '') ?? [];
    assert.ok(Number(age) > 0 && Number(age) <= 3600);

    const curl = await runProgram('curl', [
      '-sSL',
      '-r',
      '1000-1999',
      '-w',
      '%{http_code} %{size_download}',
      '-o',
      '/dev/null',
      link,
    ]);
    assert.equal(curl.stdout, '206 1000', curl.stderr);
  });

  test('S3 serves active content as an attachment too', async () => {
    const link = await uploadFile(porter, Buffer.from('<script>1</script>'), {
      name: 'a.html',
      type: 'text/html',
    });
    const { headers } = await httpRequest((await httpRequest(link)).headers.location ?? '');
    assert.match(headers['content-disposition'] ?? '', /^attachment/);
  });

  test('the link is valid for minutes, is reused for a while, and cannot be modified', async () => {
    const link = await uploadFile(porter, randomBytes(100), { type: 'image/jpeg' });
    const { location = '' } = (await httpRequest(link)).headers;
    const signed = new URL(location);
    const lifetime = Number(signed.searchParams.get('X-Amz-Expires'));
    assert.ok(lifetime > 0 && lifetime <= 600);
    signed.searchParams.set('response-content-type', 'text/html');
    assert.equal((await httpRequest(signed.href)).status, 403);
    signed.searchParams.delete('X-Amz-Signature');
    assert.equal((await httpRequest(signed.href)).status, 403);
  });

  test('Porter answers HEAD, conditional requests and requests for unknown files', async () => {
    const body = randomBytes(5000);
    const link = await uploadFile(porter, body, { type: 'image/jpeg' });
    const head = await httpRequest(link, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], '5000');
    assert.equal(head.headers['content-type'], 'image/jpeg');
    const { etag = '' } = head.headers;
    assert.equal((await httpRequest(link, { headers: { 'If-None-Match': etag } })).status, 304);
    assert.equal((await httpRequest(link, { headers: { Range: 'bytes=5000-' } })).status, 416);
    const matching = await httpRequest(link, { headers: { 'If-Match': etag } });
    assert.equal(matching.status, 200);
    assert.ok(matching.body.equals(body));
    const missing = await httpRequest(link.replace(/[0-9a-z]{16,}/, '00000000000000000000000000'));
    assert.equal(missing.status, 404);
  });

  test('a deleted file is gone behind the presigned link too', async () => {
    const link = await uploadFile(porter, randomBytes(100));
    const { location = '' } = (await httpRequest(link)).headers;
    const [id = ''] = /[0-9a-z]{16,}/.exec(link) ?? [];
    assert.equal((await porter.runCommand('delete', id)).code, 0);
    assert.equal((await httpRequest(location)).status, 404);
  });

  test('doctor follows the link, and reports a bucket without CORS rules', async () => {
    const bare = await runDoctor(`${porter.folder}/porter.yml`);
    assertFindings(bare, 'fail', {});
    assert.ok(
      bare.findings.some(({ check, state }) => check === 'CORS of the bucket' && state === 'warn'),
      bare.output,
    );
    const rule = { AllowedMethods: ['GET'], AllowedOrigins: ['*'], AllowedHeaders: ['*'] };
    await s3.client.send(
      new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [rule] } }),
    );
    const well = await runDoctor(`${porter.folder}/porter.yml`);
    assertFindings(well, 'fail', {});
    assert.ok(
      well.findings.some(({ check, state }) => check === 'CORS of the bucket' && state === 'ok'),
      well.output,
    );
  });
});
