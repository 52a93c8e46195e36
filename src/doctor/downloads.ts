import { sleep } from '../base/async.ts';
import { formatPeriod } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import { formatProbeResponse, type ProbeResponse, type ProbeTarget, sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';
import type { StoredProbeFile } from './uploads.ts';

/** The header that browsers and mobile clients send. */
export const COMPRESSION_HEADERS = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
const REMOVAL_TIMEOUT_MS = 4_000;
/** The running server caches file records for up to one second. */
const CACHE_MS = 1_200;
const POLL_MS = 200;

const SENDFILE_ADVICE =
  'The web server must be able to read the folder of storage.blobs (a common group, and UMask=0027 for Porter), and ' +
  'must be configured to serve it: contrib/ has the lines for each value of downloads.via.';

/** Checks GET and HEAD of a stored file. `path` is its download link below the base URL of the target. */
export async function checkDownload(
  report: DoctorReport,
  config: Config,
  target: ProbeTarget,
  path: string,
  { bytes, slot }: StoredProbeFile,
): Promise<void> {
  const response = await sendProbe(target, path, { headers: COMPRESSION_HEADERS });
  if (response.status !== 200) {
    const { via } = config.downloads;
    const advice = via === 'self' ? '' : ` ${SENDFILE_ADVICE}`;
    report.fail(
      'download',
      `The download link of a stored file was answered with ${formatProbeResponse(response)}.${advice}`,
    );
    return;
  }
  reportCompression(report, response, bytes.length);
  if (response.headers['content-encoding'] === undefined) reportContent(report, response, bytes);
  reportServedType(report, response, slot.type);
  reportHeaders(report, response);
  await checkHead(report, target, path, bytes.length);
  await checkRange(report, target, path, bytes);
}

export function reportCompression(report: DoctorReport, { headers }: ProbeResponse, size: number): void {
  const encoding = headers['content-encoding'];
  const length = headers['content-length'];
  if (encoding !== undefined) {
    report.fail(
      'compression',
      `The web server compresses files (${encoding}), which removes their length: clients show no progress and no ` +
        'preview, and cannot resume. In nginx: gzip off; for these paths.',
    );
  } else if (length !== String(size)) {
    report.fail(
      'Content-Length',
      `It is ${length ?? 'missing'} instead of ${size}. The web server must not change it.`,
    );
  } else report.ok('Content-Length', 'It is correct, and files are not compressed.');
}

export function reportContent(report: DoctorReport, { body }: ProbeResponse, bytes: Buffer): void {
  if (body.equals(bytes)) report.ok('download', 'The file is returned unchanged.');
  else
    report.fail(
      'download',
      `The returned file differs from the uploaded one (${body.length} of ${bytes.length} bytes). Check whether the web server changes responses.`,
    );
}

export function reportServedType(report: DoctorReport, { headers }: ProbeResponse, type: string): void {
  const served = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (served === type) report.ok('served type', `${type}, as uploaded.`);
  else
    report.fail(
      'served type',
      `A file of type ${type} is served as ${served ?? 'no type'}. The web server must not change Content-Type.`,
    );
}

type HeaderRule = readonly [name: string, expected: RegExp, consequence: string];

/** Required headers, and the consequence if one is wrong. A header that arrives twice matches only if its meaning stays the same. */
const HEADERS: readonly HeaderRule[] = [
  ['x-content-type-options', /^nosniff(?:, *nosniff)*$/i, 'browsers may run uploaded scripts'],
  ['content-security-policy', /sandbox/, 'browsers may run uploaded scripts'],
  ['content-disposition', /^(?:inline|attachment)/, 'file names are lost'],
  ['access-control-allow-origin', /^\*$/, 'web clients cannot read files'],
  ['etag', /^"/, 'interrupted downloads restart from the beginning'],
  ['accept-ranges', /^bytes$/, 'interrupted downloads restart from the beginning'],
  ['cache-control', /max-age=/, 'clients download files repeatedly'],
];

export function reportHeaders(report: DoctorReport, { headers }: ProbeResponse): void {
  const wrong = HEADERS.filter(([name, expected]) => !expected.test(String(headers[name] ?? '')));
  if (wrong.length === 0) report.ok('headers', 'All headers of Porter arrive.');
  for (const [name, , consequence] of wrong) {
    const value = headers[name];
    const observation = value === undefined ? 'does not arrive' : `arrives as ${String(value)}`;
    report.fail(
      `header ${name}`,
      `It ${observation}: ${consequence}. The web server must not change the headers of Porter.`,
    );
  }
}

export async function checkHead(
  report: DoctorReport,
  target: ProbeTarget,
  path: string,
  size: number,
): Promise<void> {
  const { status, headers } = await sendProbe(target, path, { method: 'HEAD', headers: COMPRESSION_HEADERS });
  if (status === 200 && headers['content-length'] === String(size))
    report.ok('HEAD', 'It returns the exact length.');
  else {
    const length = headers['content-length'] ?? 'none';
    report.fail(
      'HEAD',
      `It returns status ${status} and length ${length} for a file of ${size} bytes: clients show no preview. The web server must forward HEAD unchanged.`,
    );
  }
}

export async function checkRange(
  report: DoctorReport,
  target: ProbeTarget,
  path: string,
  bytes: Buffer,
): Promise<void> {
  const { status, headers, body } = await sendProbe(target, path, { headers: { Range: 'bytes=100-299' } });
  const contentRange = `bytes 100-299/${bytes.length}`;
  if (status === 206 && headers['content-range'] === contentRange && body.equals(bytes.subarray(100, 300))) {
    report.ok('Range', 'Range requests work.');
  } else {
    report.fail(
      'Range',
      `A range request was answered with ${status} and ${body.length} bytes: videos do not play, and downloads do not ` +
        'resume. The web server must forward Range and Content-Range.',
    );
  }
}

/** Checks error responses and CORS preflights for web clients. `putPath`: the path of a PUT with an unknown token. */
export async function checkErrorResponses(
  report: DoctorReport,
  target: ProbeTarget,
  putPath: string,
): Promise<void> {
  const origin = { Origin: 'https://chat.example' };
  const refused = await sendProbe(target, putPath, {
    method: 'PUT',
    headers: origin,
    body: Buffer.from('x'),
  });
  const cors = refused.headers['access-control-allow-origin'];
  if (refused.status === 403 && cors === '*')
    report.ok('CORS on errors', 'Web clients can read error responses.');
  else {
    report.fail(
      'CORS on errors',
      `A refused PUT was answered with ${formatProbeResponse(refused)}, and Access-Control-Allow-Origin ${cors ?? 'missing'}: web ` +
        'clients cannot read errors. The web server must forward error responses unchanged.',
    );
  }
  const preflightHeaders = {
    ...origin,
    'Access-Control-Request-Method': 'PUT',
    'Access-Control-Request-Headers': 'content-type',
  };
  const preflight = await sendProbe(target, putPath, { method: 'OPTIONS', headers: preflightHeaders });
  if (preflight.status < 300 && /PUT/.test(preflight.headers['access-control-allow-methods'] ?? '')) {
    report.ok('preflight', 'Web clients can upload.');
  } else {
    report.fail(
      'preflight',
      `OPTIONS was answered with ${formatProbeResponse(preflight)}: web clients cannot upload. The web server must forward OPTIONS to Porter.`,
    );
  }
}

/** Checks the answer for an unknown file. `path` is its download link. */
export async function checkMissingFile(
  report: DoctorReport,
  target: ProbeTarget,
  path: string,
): Promise<void> {
  const { status, body } = await sendProbe(target, path);
  if (status === 404 && body.length === 0) report.ok('missing files', 'They are answered with an empty 404.');
  else {
    report.fail(
      'missing files',
      `The link of an unknown file was answered with ${status} and ${body.length} bytes: some clients save these bytes as the ` +
        'file. The web server must not replace errors of Porter with its own pages.',
    );
  }
}

/** Removes the file and checks that no cache still serves it. */
export async function checkRemoval(
  report: DoctorReport,
  target: ProbeTarget,
  path: string,
  { slot }: StoredProbeFile,
  probeUploads: ProbeUploads,
): Promise<void> {
  await probeUploads.remove(slot.id);
  await sleep(CACHE_MS);
  const deadline = performance.now() + REMOVAL_TIMEOUT_MS;
  let { status } = await sendProbe(target, path);
  while (status !== 404 && performance.now() < deadline) {
    await sleep(POLL_MS);
    ({ status } = await sendProbe(target, path));
  }
  if (status === 404) report.ok('removal', 'A removed file is no longer served.');
  else
    report.fail(
      'removal',
      `A removed file is still answered with ${status}. Check whether the web server caches files (proxy_cache).`,
    );
}

/** The Date header has whole seconds. */
const NOTICEABLE_SKEW_MS = 5_000;

/** Compares the Date header of the web server with the clock of this machine. */
export async function checkWebServerClock(
  report: DoctorReport,
  target: ProbeTarget,
  now: () => number,
): Promise<void> {
  const before = now();
  const { headers } = await sendProbe(target, '/healthz');
  const serverTime = Date.parse(headers.date ?? '');
  if (Number.isNaN(serverTime)) return;
  const skewMs = Math.max(
    before - NOTICEABLE_SKEW_MS - serverTime,
    serverTime - now() - NOTICEABLE_SKEW_MS,
    0,
  );
  if (skewMs === 0) report.ok('clock of the web server', "It agrees with this machine's clock.");
  else
    report.warn(
      'clock of the web server',
      `It differs by more than ${formatPeriod(skewMs)}. Synchronise both clocks (chrony, systemd-timesyncd).`,
    );
}
