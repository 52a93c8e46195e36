import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { openS3Blobs, type S3BlobsOptions } from '../../../../src/blobs/s3/s3-blobs.ts';

export type S3RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers as S3 does where a real one cannot be made to on cue. Lists are empty unless `answer` is asked for them. */
export async function startFakeS3(t: TestContext, answer: S3RequestHandler, { lists = true } = {}) {
  process.env.AWS_ACCESS_KEY_ID = 'key';
  process.env.AWS_SECRET_ACCESS_KEY = 'secret';
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (lists && request.url?.includes('list-type=2')) {
      response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
    } else answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const place: S3BlobsOptions = {
    bucket: 'files',
    prefix: '',
    endpoint: `http://127.0.0.1:${port}`,
    publicEndpoint: null,
    region: 'us-east-1',
    pathStyle: true,
    create: false,
  };
  const open = async (more: Partial<S3BlobsOptions> = {}) => {
    const blobs = await openS3Blobs({ ...place, ...more });
    t.after(() => blobs.close());
    return blobs;
  };
  return { asked, open };
}

/** A refusal in the words of S3. */
export function sendS3Error(response: ServerResponse, status: number, code: string, more = ''): void {
  response.writeHead(status, { 'Content-Type': 'application/xml' });
  response.end(`<Error><Code>${code}</Code><Message>no</Message>${more}</Error>`);
}
