import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  CreateMultipartUploadCommand,
  DeleteBucketPolicyCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  PutBucketPolicyCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { openS3Blobs, type S3BlobsOptions } from '../../src/blobs/s3/s3-blobs.ts';
import { needs } from '../real/peers/peers.ts';
import { type S3Server, startS3 } from '../real/peers/s3.ts';
import { blobStoreSuite, listKeys, newBlobKey } from './blobs.ts';

const MIB = 1024 * 1024;
const settings: readonly (readonly [name: string, options: Partial<S3BlobsOptions>])[] = [
  ['S3', {}],
  ['S3, without memory for whole parts', { writeMemoryBytes: 0 }],
  ['S3, in small parts', { partSizeBytes: 5 * MIB }],
];

describe('the real S3', { skip: needs('ceph') }, () => {
  let s3: S3Server;
  before(async () => {
    s3 = await startS3();
    Object.assign(process.env, s3.env);
  });
  after(() => s3.remove());

  test('removes only multipart uploads that a killed process has abandoned', async () => {
    const { endpoint, client } = s3;
    const Bucket = await s3.createBucket();
    const place = { bucket: Bucket, prefix: '', endpoint, publicEndpoint: null, region: null };
    const blobs = await openS3Blobs({ ...place, pathStyle: true, create: false });
    const parts = { Bucket, Key: newBlobKey() };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(parts));
    await client.send(new UploadPartCommand({ ...parts, UploadId, PartNumber: 1, Body: 'a part' }));
    await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'of/somebody/else' }));
    assert.deepEqual(await listKeys(blobs), [`${parts.Key}.part`]);
    assert.equal(await blobs.removeAbandonedWrites?.(Date.now() - 60_000), 0);
    assert.equal(await blobs.removeAbandonedWrites?.(Date.now() + 60_000), 1);
    assert.deepEqual(await listKeys(blobs), []);
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    assert.equal(Uploads?.length, 1);
    await blobs.close();
  });

  for (const [name, options] of settings) {
    blobStoreSuite(name, async () => {
      const { endpoint, client } = s3;
      const Bucket = await s3.createBucket();
      const place = { bucket: Bucket, prefix: 'some/files', endpoint, publicEndpoint: null, region: null };
      const store = await openS3Blobs({ ...place, pathStyle: true, create: false, ...options });
      const close = async () => {
        const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
        assert.deepEqual(Uploads, []);
      };
      const readFile = async (key: string) => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `some/files/${key}` }));
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      };
      const protect = async (key: string) => {
        const Statement = {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:DeleteObject',
          Resource: `arn:aws:s3:::${Bucket}/some/files/${key}`,
        };
        const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [Statement] });
        await client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
        return async () => {
          await client.send(new DeleteBucketPolicyCommand({ Bucket }));
        };
      };
      return { store, readFile, protect, close };
    });
  }
});
