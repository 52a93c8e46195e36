import type { Config } from '../config/load.ts';
import type { GrantedSlot } from '../uploads/grant-slot.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import {
  formatProbeResponse,
  openProbe,
  type ProbeResponse,
  type ProbeTarget,
  pathBelowTarget,
  readProbeResponse,
  sendProbe,
} from './probe-client.ts';
import type { DoctorReport } from './report.ts';

/* Resumable uploads through the web server, as clients send them (docs/resumable-uploads.md). */

const SIZE = 2000;
const HALF = 1000;
/** Large enough that Porter sends 104 before it stores the file. */
const INTERIM_SIZE = 200_000;
const VERSION = { 'Upload-Draft-Interop-Version': '8' };
const UPLOAD_RESUMPTION_SUPPORTED = 104;

/** Checks whether 104 reaches clients, and whether an upload can continue with the second half of its file. */
export async function checkResumableUploads(
  report: DoctorReport,
  config: Pick<Config, 'uploads'>,
  target: ProbeTarget,
  probeUploads: ProbeUploads,
  /** Whether Porter sends 104 to clients at this address. */
  sendsInterim: boolean,
): Promise<void> {
  if (!config.uploads.resumable) {
    report.skip('resumable uploads', 'Not tested: uploads.resumable is off.');
    return;
  }
  const passage = await sendWhole(target, probeUploads);
  reportInterim(report, { passage, sendsInterim, setting: config.uploads.interim_responses });
  // 104 would end the requests of the next check, too.
  if (passage === 'taken_as_final' && sendsInterim) return;
  const problem = await findProblem(target, probeUploads);
  if (problem === undefined)
    report.ok('resumable uploads', 'An upload can be resumed after an interruption.');
  else report.fail('resumable uploads', problem);
}

/** Uploads a file in two halves. Returns the problem, or undefined if it works. */
async function findProblem(target: ProbeTarget, probeUploads: ProbeUploads): Promise<string | undefined> {
  const slot = await probeUploads.requestSlot({ name: 'halves.txt', size: SIZE, type: 'text/plain' });
  const path = putUrl('', slot.token, slot.name);
  const first = { ...VERSION, 'Upload-Complete': '?0', 'Upload-Length': SIZE };
  const created = await sendProbe(target, path, { method: 'PUT', headers: first, body: Buffer.alloc(0) });
  if (created.status !== 201) return explainRefusal('PUT', created);
  const { location } = created.headers;
  if (location === undefined || offsetOf(created) === undefined)
    return 'The web server removes Location or Upload-Offset from answers: clients cannot resume an upload. It must forward all headers.';
  const resource = pathBelowTarget(target, new URL(location, `${target.baseUrl}${path}`).href);
  return (
    (await sendHalf(target, resource, 0)) ??
    (await checkOffset(target, resource)) ??
    (await sendHalf(target, resource, HALF))
  );
}

async function sendHalf(target: ProbeTarget, resource: string, offset: number): Promise<string | undefined> {
  const isLast = offset === HALF;
  const headers = {
    ...VERSION,
    'Content-Type': 'application/partial-upload',
    'Upload-Offset': offset,
    'Upload-Complete': isLast ? '?1' : '?0',
  };
  const body = Buffer.alloc(HALF, 'half a file ');
  const answer = await sendProbe(target, resource, { method: 'PATCH', headers, body });
  return answer.status === (isLast ? 201 : 204) ? undefined : explainRefusal('PATCH', answer);
}

async function checkOffset(target: ProbeTarget, resource: string): Promise<string | undefined> {
  const state = await sendProbe(target, resource, { method: 'HEAD', headers: VERSION });
  if (state.status !== 204) return explainRefusal('HEAD', state);
  if (offsetOf(state) === HALF) return undefined;
  return `HEAD of an unfinished upload returns the offset ${offsetOf(state) ?? 'none'} instead of ${HALF}. The web server must not cache answers below /put/, and must forward all their headers.`;
}

const explainRefusal = (method: string, answer: ProbeResponse) =>
  `A ${method} of a resumable upload was answered with ${formatProbeResponse(answer)}. For upload links, the web server must allow PUT, ` +
  'PATCH, HEAD and DELETE, and forward the query and the headers Upload-Draft-Interop-Version, Upload-Complete, Upload-Length and ' +
  'Upload-Offset. Without that, uploads on the web page fail.';

function offsetOf({ headers }: ProbeResponse): number | undefined {
  const value = headers['upload-offset'];
  return typeof value === 'string' ? Number(value) : undefined;
}

/** How `104 Upload Resumption Supported` reaches the client. */
export type InterimPassage = 'passes' | 'dropped' | 'taken_as_final';

/** Sends a whole file. In a test of the doctor, the server always answers it with 104 first. */
async function sendWhole(target: ProbeTarget, probeUploads: ProbeUploads): Promise<InterimPassage> {
  const slot = await probeUploads.requestSlot({ name: 'whole.txt', size: INTERIM_SIZE, type: 'text/plain' });
  let passage: InterimPassage = 'dropped';
  const request = openWhole(target, slot);
  request.on('information', ({ statusCode, headers }) => {
    if (statusCode === UPLOAD_RESUMPTION_SUPPORTED && passage === 'dropped')
      passage = isHeadOfFinal(headers) ? 'taken_as_final' : 'passes';
  });
  const response = readProbeResponse(request);
  request.end(Buffer.alloc(INTERIM_SIZE, 'a whole file '));
  const isStored = await response.then(
    ({ status }) => status === 201,
    () => false,
  );
  return isStored ? passage : 'taken_as_final';
}

function openWhole(target: ProbeTarget, { token, name, size }: GrantedSlot) {
  const headers = { ...VERSION, 'Upload-Complete': '?1', 'Content-Length': size };
  return openProbe(target, putUrl('', token, name), { method: 'PUT', headers });
}

/**
 * Returns true if the proxy has turned the interim response into a final one. nginx adds these fields. The final response of Porter then
 * follows as the body: HTTP/1.1 clients may still read it, but HTTP/2 clients fail.
 */
const isHeadOfFinal = (headers: Readonly<Record<string, unknown>>) =>
  headers.date !== undefined ||
  headers.connection !== undefined ||
  headers['transfer-encoding'] !== undefined;

const INTERIM = 'interim responses';

/** Reports how 104 reaches clients, and how to set `uploads.interim_responses`. */
export function reportInterim(
  report: DoctorReport,
  {
    passage,
    sendsInterim,
    setting,
  }: {
    readonly passage: InterimPassage;
    readonly sendsInterim: boolean;
    readonly setting: Config['uploads']['interim_responses'];
  },
): void {
  if (passage === 'taken_as_final') {
    const cause = 'The web server treats the interim response 104 as the final answer, as nginx does.';
    if (!sendsInterim) report.ok(INTERIM, `${cause} Porter does not send it through a proxy.`);
    else {
      const remedy =
        setting === 'always'
          ? 'Set uploads.interim_responses: auto'
          : 'Porter treats the web server as a client: add its address to trusted_proxies, or let it set X-Forwarded-For';
      report.fail(INTERIM, `${cause} Resumable uploads over HTTP/2 break. ${remedy}.`);
    }
  } else if (passage === 'dropped')
    report.ok(
      INTERIM,
      'The web server drops 104: an upload can be resumed if its client begins it with a part.',
    );
  else if (sendsInterim) report.ok(INTERIM, 'Clients get 104, so that they can resume an upload.');
  else
    report.ok(
      INTERIM,
      'The web server forwards 104, but Porter does not send it through a proxy. With uploads.interim_responses: always, apps that send ' +
        'the whole file at once, such as those of iOS, can resume an upload too.',
    );
}
