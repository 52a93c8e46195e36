import { readFile } from 'node:fs/promises';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { randomId } from '../../src/base/ids.ts';
import { type S3Server, startS3 } from '../../test/real/peers/s3.ts';
import { checkAnswers } from '../check-answers.ts';
import type { BenchEnvironment } from '../environment.ts';
import { readChildPids } from '../process.ts';
import { FILE_TYPE, type FileServer, type UploadSlot } from './file-server.ts';
import { porterServer } from './porter.ts';

/**
 * Porter on a real S3 server, and that server itself, for the time of `use`: it keeps all that it is given in memory
 * and gives none of it back, so that each case has one of its own.
 */
export async function withS3<T>(
  { folders, log }: BenchEnvironment,
  use: (servers: readonly [porter: FileServer, s3: FileServer]) => Promise<T>,
): Promise<T> {
  log('  starting Ceph, and Porter on it, and checking their answers');
  const s3 = await startS3();
  let porter: FileServer | undefined;
  try {
    const { env } = s3;
    const blobs = s3.blobsUrl(await s3.createBucket());
    porter = await porterServer({ name: 'Porter', folder: folders.folder, sync: false, s3: { blobs, env } });
    const itself = await s3Server(s3);
    for (const server of [porter, itself]) await checkAnswers(server);
    return await use([porter, itself]);
  } finally {
    if (porter) process.kill(porter.pid);
    await s3.remove();
  }
}

/** Straight to S3, by links signed beforehand: the same sender, and nothing of a client's own work. */
async function s3Server(s3: S3Server): Promise<FileServer> {
  const { endpoint, accessKey, secretKey } = s3;
  const Bucket = await s3.createBucket();
  const client = new S3Client({
    endpoint,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    region: 'us-east-1',
    forcePathStyle: true,
    // A link would bear the checksum of an empty body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  const slot = async (): Promise<UploadSlot> => {
    const object = { Bucket, Key: `${randomId()}.bin` };
    const [put, got] = await Promise.all([
      getSignedUrl(client, new PutObjectCommand(object), { expiresIn: HOUR }),
      getSignedUrl(client, new GetObjectCommand(object), { expiresIn: HOUR }),
    ]);
    return { putPath: pathOf(put), headers: { 'Content-Type': FILE_TYPE }, getPath: pathOf(got) };
  };
  return {
    name: 'S3 itself',
    url: endpoint,
    files: '',
    pid: await gatewayPid(),
    putStatus: 200,
    slots: (count) => Promise.all(Array.from({ length: count }, slot)),
  };
}

const HOUR = 3600;

function pathOf(link: string): string {
  const { pathname, search } = new URL(link);
  return pathname + search;
}

/** Of the process that speaks S3; what it asks of the store beside it is not in its processor time. */
async function gatewayPid(): Promise<number> {
  for (const pid of await readChildPids('self')) {
    if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'radosgw') return pid;
  }
  throw new Error('no radosgw is running');
}
