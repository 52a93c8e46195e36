import { readFile } from 'node:fs/promises';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { randomId } from '../../src/base/ids.ts';
import { type S3Server, startS3 } from '../../test/real/peers/s3.ts';
import { checkAnswers } from '../check-answers.ts';
import type { BenchEnvironment } from '../environment.ts';
import { readChildPids } from '../processes.ts';
import { FILE_TYPE, type FileServer, type UploadSlot } from './file-server.ts';
import { porterServer } from './porter.ts';

/**
 * Starts a real S3 server, and Porter on it, for the duration of `use`. Each case gets a new S3 server, because it keeps
 * all objects in memory and never frees it.
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
    const direct = await s3Server(s3);
    for (const server of [porter, direct]) await checkAnswers(server);
    return await use([porter, direct]);
  } finally {
    if (porter) process.kill(porter.pid);
    await s3.remove();
  }
}

/** S3 without Porter, through presigned links, so that the client does no signing while it is timed. */
async function s3Server(s3: S3Server): Promise<FileServer> {
  const { endpoint, accessKey, secretKey } = s3;
  const Bucket = await s3.createBucket();
  const client = new S3Client({
    endpoint,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    region: 'us-east-1',
    forcePathStyle: true,
    // Otherwise the link would contain the checksum of an empty body.
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
    name: 'S3 directly',
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

/** Finds the gateway process; its CPU time does not include that of the OSD. */
async function gatewayPid(): Promise<number> {
  for (const pid of await readChildPids('self')) {
    if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'radosgw') return pid;
  }
  throw new Error('no radosgw is running');
}
