import { setTimeout as sleep } from 'node:timers/promises';
import { formatPeriod } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import { type ProbeResponse, type ProbeTarget, sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';
import { formatProbeResponse, type StoredProbeFile } from './uploads.ts';

/** As browsers and phones send it. */
export const COMPRESSION_HEADERS = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
const GONE_WITHIN_MS = 4_000;
/** For a moment the running server takes the ledger's last word on a file that was just asked for. */
const REMEMBERED_MS = 1_200;
const LOOK_EVERY_MS = 200;

const READS_ADVICE =
  'The web server must be able to read the folder of storage.blobs (a group that both are in, and UMask=0027 for ' +
  'Porter), and must know of it: contrib/ has the lines for each value of downloads.via.';

/** What a client needs of GET and HEAD, at the link that it gets. `path` is that link below the way's base. */
export async function checkDownload(
  notes: DoctorReport,
  config: Config,
  way: ProbeTarget,
  path: string,
  { bytes, slot }: StoredProbeFile,
): Promise<void> {
  const reply = await sendProbe(way, path, { headers: COMPRESSION_HEADERS });
  if (reply.status !== 200) {
    const { via } = config.downloads;
    const advice = via === 'self' ? '' : ` ${READS_ADVICE}`;
    notes.fail('download', `The link of a stored file was answered ${formatProbeResponse(reply)}.${advice}`);
    return;
  }
  reportCompression(notes, reply, bytes.length);
  if (reply.headers['content-encoding'] === undefined) reportContent(notes, reply, bytes);
  reportServedType(notes, reply, slot.type);
  judgeHeaders(notes, reply);
  await checkHead(notes, way, path, bytes.length);
  await checkRange(notes, way, path, bytes);
}

export function reportCompression(notes: DoctorReport, { headers }: ProbeResponse, size: number): void {
  const encoding = headers['content-encoding'];
  const length = headers['content-length'];
  if (encoding !== undefined) {
    notes.fail(
      'compression',
      `The web server compresses files (${encoding}), so that their length is lost: no progress, no previews, no ` +
        'resuming. In nginx: gzip off; for these paths.',
    );
  } else if (length !== String(size)) {
    notes.fail(
      'Content-Length',
      `It is ${length ?? 'not there'} where ${size} was sent: the web server must keep it.`,
    );
  } else notes.ok('Content-Length', 'It arrives, and nothing is compressed.');
}

export function reportContent(notes: DoctorReport, { body }: ProbeResponse, bytes: Buffer): void {
  if (body.equals(bytes)) notes.ok('download', 'The file comes back byte for byte.');
  else notes.fail('download', `Other bytes come back than were sent (${body.length} of ${bytes.length}).`);
}

export function reportServedType(notes: DoctorReport, { headers }: ProbeResponse, type: string): void {
  const served = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (served === type) notes.ok('served type', `${type}, as it was uploaded.`);
  else notes.fail('served type', `A file of type ${type} is served as ${served ?? 'nothing'}.`);
}

type HeaderRule = readonly [name: string, fits: RegExp, without: string];

/** What must be there, and what it costs where it is not. A header that comes twice fits none of these. */
const HEADERS: readonly HeaderRule[] = [
  ['x-content-type-options', /^nosniff$/i, 'browsers may run what strangers upload'],
  ['content-security-policy', /sandbox/, 'browsers may run what strangers upload'],
  ['content-disposition', /^(?:inline|attachment)/, 'files lose their names'],
  ['access-control-allow-origin', /^\*$/, 'web clients cannot read files'],
  ['etag', /^"/, 'broken downloads begin anew'],
  ['accept-ranges', /^bytes$/, 'broken downloads begin anew'],
  ['cache-control', /max-age=/, 'files are fetched again and again'],
];

function judgeHeaders(notes: DoctorReport, { headers }: ProbeResponse): void {
  const wrong = HEADERS.filter(([name, fits]) => !fits.test(String(headers[name] ?? '')));
  if (wrong.length === 0) notes.ok('headers', 'All that Porter sets arrive.');
  for (const [name, , without] of wrong) {
    const value = headers[name];
    const what = value === undefined ? 'does not arrive' : `arrives as ${String(value)}`;
    notes.fail(`header ${name}`, `It ${what}: ${without}. The web server must leave Porter's headers alone.`);
  }
}

export async function checkHead(
  notes: DoctorReport,
  way: ProbeTarget,
  path: string,
  size: number,
): Promise<void> {
  const { status, headers } = await sendProbe(way, path, { method: 'HEAD', headers: COMPRESSION_HEADERS });
  if (status === 200 && headers['content-length'] === String(size))
    notes.ok('HEAD', 'It tells the exact length.');
  else {
    const length = headers['content-length'] ?? 'none';
    notes.fail(
      'HEAD',
      `It says ${status} and the length ${length} for ${size} bytes: clients show no preview.`,
    );
  }
}

export async function checkRange(
  notes: DoctorReport,
  way: ProbeTarget,
  path: string,
  bytes: Buffer,
): Promise<void> {
  const { status, headers, body } = await sendProbe(way, path, { headers: { Range: 'bytes=100-299' } });
  const place = `bytes 100-299/${bytes.length}`;
  if (status === 206 && headers['content-range'] === place && body.equals(bytes.subarray(100, 300))) {
    notes.ok('Range', 'Parts of files can be fetched.');
  } else {
    notes.fail(
      'Range',
      `A part of a file was asked for, and ${status} with ${body.length} bytes came: videos do not play and downloads ` +
        'do not resume. The web server must pass Range and Content-Range on.',
    );
  }
}

/** Errors and preflights as web clients need them. `putPath` leads to nothing. */
export async function checkErrorResponses(
  notes: DoctorReport,
  way: ProbeTarget,
  putPath: string,
): Promise<void> {
  const origin = { Origin: 'https://chat.example' };
  const refused = await sendProbe(way, putPath, { method: 'PUT', headers: origin, body: Buffer.from('x') });
  const cors = refused.headers['access-control-allow-origin'];
  if (refused.status === 403 && cors === '*') notes.ok('CORS on errors', 'Web clients can read a refusal.');
  else {
    notes.fail(
      'CORS on errors',
      `A refused PUT came back as ${formatProbeResponse(refused)}, with Access-Control-Allow-Origin ${cors ?? 'missing'}: the web ` +
        "server must pass Porter's errors on as they are.",
    );
  }
  const asks = {
    ...origin,
    'Access-Control-Request-Method': 'PUT',
    'Access-Control-Request-Headers': 'content-type',
  };
  const preflight = await sendProbe(way, putPath, { method: 'OPTIONS', headers: asks });
  if (preflight.status < 300 && /PUT/.test(preflight.headers['access-control-allow-methods'] ?? '')) {
    notes.ok('preflight', 'Web clients may upload.');
  } else {
    notes.fail(
      'preflight',
      `OPTIONS came back as ${formatProbeResponse(preflight)}: the web server must pass it on to Porter.`,
    );
  }
}

/** `path` leads to nothing. */
export async function checkMissingFile(notes: DoctorReport, way: ProbeTarget, path: string): Promise<void> {
  const { status, body } = await sendProbe(way, path);
  if (status === 404 && body.length === 0) notes.ok('missing files', '404 with nothing in it.');
  else {
    notes.fail(
      'missing files',
      `A link that leads nowhere gives ${status} with ${body.length} bytes: some clients save them as the file. The ` +
        'web server must not put a page of its own in their place.',
    );
  }
}

/** After the removal the link must lead nowhere, whatever caches stand in between. */
export async function checkRemoval(
  notes: DoctorReport,
  way: ProbeTarget,
  path: string,
  { slot }: StoredProbeFile,
  checkup: ProbeUploads,
): Promise<void> {
  await checkup.remove(slot.id);
  await sleep(REMEMBERED_MS);
  const deadline = performance.now() + GONE_WITHIN_MS;
  let { status } = await sendProbe(way, path);
  while (status !== 404 && performance.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    ({ status } = await sendProbe(way, path));
  }
  if (status === 404) notes.ok('removal', 'A removed file is gone for everybody.');
  else
    notes.fail(
      'removal',
      `A removed file is still answered ${status}: does the web server keep copies (proxy_cache)?`,
    );
}

/** Dates say whole seconds. */
const NOTICEABLE_MS = 5_000;

/** The clock of whatever answers at the front, by its `Date`. */
export async function checkWebServerClock(
  notes: DoctorReport,
  way: ProbeTarget,
  now: () => number,
): Promise<void> {
  const before = now();
  const { headers } = await sendProbe(way, '/healthz');
  const theirs = Date.parse(headers.date ?? '');
  if (Number.isNaN(theirs)) return;
  const off = Math.max(before - NOTICEABLE_MS - theirs, theirs - now() - NOTICEABLE_MS, 0);
  if (off === 0) notes.ok('clock of the web server', 'It goes with ours.');
  else
    notes.warn(
      'clock of the web server',
      `It is off by more than ${formatPeriod(off)}: keep time on both machines.`,
    );
}
