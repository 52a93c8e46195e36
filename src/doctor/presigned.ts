import {
  COMPRESSION_HEADERS,
  checkHead,
  checkRange,
  reportCompression,
  reportContent,
  reportServedType,
} from './downloads.ts';
import {
  formatProbeResponse,
  type ProbeResponse,
  type ProbeTarget,
  resolveProbeTarget,
  sendProbe,
} from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import type { StoredProbeFile } from './uploads.ts';

const S3_ADVICE =
  'Clients must reach S3 at the address of the link. It is endpoint= of storage.blobs, or public_endpoint= if clients ' +
  'need another address. A web server in front of S3 must not change Host and the query.';

/** Checks the redirect to S3 and the file behind it. `path` is the download link below the base URL of the target. */
export async function checkPresignedDownload(
  report: DoctorReport,
  target: ProbeTarget,
  path: string,
  { bytes, slot }: StoredProbeFile,
): Promise<void> {
  const redirect = await sendProbe(target, path);
  const { location } = redirect.headers;
  if (redirect.status !== 302 || location === undefined || !URL.canParse(location)) {
    report.fail(
      'download',
      `The download link of a stored file was answered with ${formatProbeResponse(redirect)} instead of a redirect to S3.`,
    );
    return;
  }
  await checkHead(report, target, path, bytes.length);
  const { origin, pathname, search } = new URL(location);
  if (target.baseUrl.startsWith('https:') && origin.startsWith('http:')) {
    report.warn(
      'link to S3',
      `It is ${origin}, without TLS: browsers block it on an https page. ${S3_ADVICE}`,
    );
  }
  const fetched = await fetchFromS3(report, origin, pathname + search);
  if (!fetched) return;
  reportCompression(report, fetched.response, bytes.length);
  reportContent(report, fetched.response, bytes);
  reportServedType(report, fetched.response, slot.type);
  reportBucketCors(report, fetched.response);
  await checkRange(report, fetched.target, pathname + search, bytes);
}

async function fetchFromS3(
  report: DoctorReport,
  origin: string,
  path: string,
): Promise<{ target: ProbeTarget; response: ProbeResponse } | undefined> {
  try {
    const target = await resolveProbeTarget(origin);
    const headers = { ...COMPRESSION_HEADERS, Origin: 'https://chat.example' };
    const response = await sendProbe(target, path, { headers });
    if (response.status === 200) return { target, response };
    const code = /<Code>(\w+)<\/Code>/.exec(response.body.toString())?.[1];
    const answer = code === undefined ? formatProbeResponse(response) : `${response.status} ${code}`;
    report.fail(
      'download',
      `S3 at ${origin} answered the link of a stored file with ${answer}. ${S3_ADVICE}`,
    );
  } catch (error) {
    report.fail('download', `S3 at ${origin} does not answer: ${shortErrorReason(error)}. ${S3_ADVICE}`);
  }
  return undefined;
}

/** Reports whether the bucket has a CORS rule. The admin sets it, not Porter. */
function reportBucketCors(report: DoctorReport, { headers }: ProbeResponse): void {
  if (headers['access-control-allow-origin'] !== undefined) {
    report.ok('CORS of the bucket', 'Web clients can read files.');
  } else {
    report.warn(
      'CORS of the bucket',
      'The bucket has no CORS rule: web clients cannot read files. docs/s3.md has the rule.',
    );
  }
}
