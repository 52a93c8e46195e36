import {
  COMPRESSION_HEADERS,
  checkHead,
  checkRange,
  reportCompression,
  reportContent,
  reportServedType,
} from './downloads.ts';
import { type ProbeResponse, type ProbeTarget, resolveProbeTarget, sendProbe } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import { formatProbeResponse, type StoredProbeFile } from './uploads.ts';

const ENDPOINT_ADVICE =
  'Clients must reach S3 at the address of the link: it is endpoint= of storage.blobs, or public_endpoint= where they ' +
  'need another. A web server before it must leave Host and the query alone.';

/** Where files are fetched from S3 itself: the redirect, and what its link gives. `path` is the link below `way`. */
export async function checkPresignedDownload(
  notes: DoctorReport,
  way: ProbeTarget,
  path: string,
  { bytes, slot }: StoredProbeFile,
): Promise<void> {
  const redirect = await sendProbe(way, path);
  const { location } = redirect.headers;
  if (redirect.status !== 302 || location === undefined || !URL.canParse(location)) {
    notes.fail(
      'download',
      `The link of a stored file was answered ${formatProbeResponse(redirect)}, and not with a link to S3.`,
    );
    return;
  }
  await checkHead(notes, way, path, bytes.length);
  const { origin, pathname, search } = new URL(location);
  if (way.baseUrl.startsWith('https:') && origin.startsWith('http:'))
    notes.warn(
      'link to S3',
      `It is ${origin}, without TLS: browsers refuse it on an https page. ${ENDPOINT_ADVICE}`,
    );
  const found = await fetchFrom(notes, origin, pathname + search);
  if (!found) return;
  reportCompression(notes, found.reply, bytes.length);
  reportContent(notes, found.reply, bytes);
  reportServedType(notes, found.reply, slot.type);
  judgeCors(notes, found.reply);
  await checkRange(notes, found.way, pathname + search, bytes);
}

async function fetchFrom(
  notes: DoctorReport,
  origin: string,
  target: string,
): Promise<{ way: ProbeTarget; reply: ProbeResponse } | undefined> {
  try {
    const way = await resolveProbeTarget(origin);
    const headers = { ...COMPRESSION_HEADERS, Origin: 'https://chat.example' };
    const reply = await sendProbe(way, target, { headers });
    if (reply.status === 200) return { way, reply };
    const code = /<Code>(\w+)<\/Code>/.exec(reply.body.toString())?.[1];
    const said = code === undefined ? formatProbeResponse(reply) : `${reply.status} ${code}`;
    notes.fail('download', `S3 at ${origin} answered the link of a stored file ${said}. ${ENDPOINT_ADVICE}`);
  } catch (fault) {
    notes.fail('download', `S3 at ${origin} does not answer: ${shortErrorReason(fault)}. ${ENDPOINT_ADVICE}`);
  }
  return undefined;
}

/** Set on the bucket, past Porter. */
function judgeCors(notes: DoctorReport, { headers }: ProbeResponse): void {
  if (headers['access-control-allow-origin'] !== undefined)
    notes.ok('CORS of the bucket', 'Web clients can read files.');
  else
    notes.warn(
      'CORS of the bucket',
      'It has no rules for it, so that web clients cannot read files: docs/s3.md has the rule.',
    );
}
