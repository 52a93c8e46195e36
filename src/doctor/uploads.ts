import { sleep } from '../base/async.ts';
import { formatSize } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import type { GrantedSlot } from '../uploads/grant-slot.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import {
  formatProbeResponse,
  openProbe,
  type ProbeResponse,
  type ProbeTarget,
  readProbeResponse,
  sendProbe,
} from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';

const SMALL_BYTES = 1000;
/** Above the default body limit of web servers (nginx: 1 MiB). */
const MEDIUM_BYTES = 1_600_000;
/** Used if the access rules have no limit. */
const LARGE_BYTES = 1024 ** 3;
/** More than web servers buffer before they forward the first bytes of a streamed request. */
const FIRST_PART_BYTES = 64 * 1024;
/**
 * Through a web server that streams, the first bytes arrive within milliseconds, on a busy machine within seconds. Must
 * be less than the idle timeout of `probe-client.ts`.
 */
const ARRIVAL_TIMEOUT_MS = 8_000;
const REFUSAL_TIMEOUT_MS = 1_000;
/** Longer than a body timeout with a wrong unit, such as 60 ms instead of 60 s. */
const PAUSE_MS = 1_500;
const POLL_MS = 50;

/** A test file that is stored. */
export interface StoredProbeFile {
  readonly slot: GrantedSlot;
  readonly bytes: Buffer;
}

/** Returns compressible text, so that compression by the web server is detected. */
function createContent(size: number): Buffer {
  return Buffer.alloc(size, 'Test file of porter doctor. ');
}

/** Uploads files of several sizes. Returns the largest one that is stored, or undefined if all uploads failed. */
export async function checkUploads(
  report: DoctorReport,
  config: Config,
  target: ProbeTarget,
  probeUploads: ProbeUploads,
): Promise<StoredProbeFile | undefined> {
  const small = await uploadSmall(report, target, probeUploads);
  if (small === undefined) return undefined;
  const medium = await uploadMedium(report, target, probeUploads);
  if (medium) await startLarge(report, config, target, probeUploads, medium.streamed);
  return medium?.file ?? small;
}

async function uploadSmall(
  report: DoctorReport,
  target: ProbeTarget,
  probeUploads: ProbeUploads,
): Promise<StoredProbeFile | undefined> {
  const bytes = createContent(SMALL_BYTES);
  const slot = await probeUploads.requestSlot({ name: 'small.txt', size: SMALL_BYTES, type: 'text/plain' });
  const response = await sendProbe(target, putUrl('', slot.token, slot.name), {
    method: 'PUT',
    headers: { 'Content-Type': 'text/plain' },
    body: bytes,
  });
  if (response.status === 201) {
    report.ok('upload', `A file of ${SMALL_BYTES} bytes is stored.`);
    return { slot, bytes };
  }
  report.fail('upload', `A PUT of ${SMALL_BYTES} bytes was answered with ${formatProbeResponse(response)}.`);
  return undefined;
}

/** Sends the first part of a file, waits until Porter receives it, and then sends the rest. */
async function uploadMedium(
  report: DoctorReport,
  target: ProbeTarget,
  probeUploads: ProbeUploads,
): Promise<{ file: StoredProbeFile; streamed: boolean } | undefined> {
  const bytes = createContent(MEDIUM_BYTES);
  const slot = await probeUploads.requestSlot({ name: 'medium.txt', size: MEDIUM_BYTES, type: 'text/plain' });
  const put = startPut(target, slot);
  try {
    put.request.write(bytes.subarray(0, FIRST_PART_BYTES));
    const first = await waitForFirstEvent(put, probeUploads, slot.id, ARRIVAL_TIMEOUT_MS);
    if (typeof first === 'object') {
      reportRefusal(report, first, MEDIUM_BYTES);
      return undefined;
    }
    if (first === 'receiving' && (await isCutOff(put))) {
      report.fail('body timeout', BODY_TIMEOUT_TEXT);
      return undefined;
    }
    put.request.end(bytes.subarray(FIRST_PART_BYTES));
    const response = await put.response;
    if (response.status !== 201) {
      reportRefusal(report, response, MEDIUM_BYTES);
      return undefined;
    }
    const streamed = first === 'receiving';
    reportBuffering(report, streamed);
    return { file: { slot, bytes }, streamed };
  } catch (error) {
    report.fail('upload', `A PUT of ${formatSize(MEDIUM_BYTES)} was cut off: ${shortErrorReason(error)}.`);
    return undefined;
  } finally {
    put.request.destroy();
  }
}

/** Pauses, like a phone that changes its network. Returns true if the web server ends the request meanwhile. */
async function isCutOff({ response }: StartedPut): Promise<boolean> {
  const ended = response.then(
    () => true,
    () => true,
  );
  return (await Promise.race([ended, sleep(PAUSE_MS)])) === true;
}

const BODY_TIMEOUT_TEXT =
  `The web server ends an upload after a pause of ${PAUSE_MS / 1000} s: uploads from phones fail. Allow at least a minute. In nginx: ` +
  'client_body_timeout 60s; in Apache: RequestReadTimeout body=60.';

function reportBuffering(report: DoctorReport, streamed: boolean): void {
  if (streamed) report.ok('request buffering', 'The web server streams uploads to Porter.');
  else {
    report.fail(
      'request buffering',
      'The web server buffers whole uploads before it forwards them: uploads take twice as long, clients time out, and ' +
        'its disk fills. In nginx: proxy_request_buffering off; and proxy_http_version 1.1;',
    );
  }
}

/**
 * Starts an upload of the largest allowed size, and stops it as soon as Porter receives it or the web server refuses it. A web server that
 * buffers uploads forwards nothing before the end, but it refuses at once, so the timeout is shorter then.
 */
async function startLarge(
  report: DoctorReport,
  config: Config,
  target: ProbeTarget,
  probeUploads: ProbeUploads,
  streamed: boolean,
): Promise<void> {
  const size = largestAllowedSize(config);
  if (size <= MEDIUM_BYTES) {
    report.ok(
      'body limit',
      `Files of ${formatSize(MEDIUM_BYTES)} pass; the access rules allow no larger files.`,
    );
    return;
  }
  const slot = await probeUploads.requestSlot({ name: 'large.txt', size, type: 'text/plain' });
  const put = startPut(target, slot);
  try {
    put.request.write(createContent(FIRST_PART_BYTES));
    const timeoutMs = streamed ? ARRIVAL_TIMEOUT_MS : REFUSAL_TIMEOUT_MS;
    const first = await waitForFirstEvent(put, probeUploads, slot.id, timeoutMs);
    if (typeof first === 'object') reportRefusal(report, first, size);
    else report.ok('body limit', `Files of ${formatSize(size)} pass.`);
  } catch (error) {
    report.fail(
      'body limit',
      `A PUT of ${formatSize(size)} was cut off at its start: ${shortErrorReason(error)}.`,
    );
  } finally {
    put.request.destroy();
  }
}

function largestAllowedSize({ access, external }: Config): number {
  const sizes = access.filter((rule) => !rule.deny).map((rule) => rule.max_file_size ?? LARGE_BYTES);
  return Math.max(0, ...sizes, external?.max_file_size ?? 0);
}

interface StartedPut {
  readonly request: ReturnType<typeof openProbe>;
  readonly response: Promise<ProbeResponse>;
}

function startPut(target: ProbeTarget, { token, name, size }: GrantedSlot): StartedPut {
  const headers = { 'Content-Type': 'text/plain', 'Content-Length': size };
  const request = openProbe(target, putUrl('', token, name), { method: 'PUT', headers });
  const response = readProbeResponse(request);
  // Destroying the request rejects the response, which may not be awaited any more.
  response.catch(() => undefined);
  return { request, response };
}

/** Waits for the response, or until the ledger shows that the server receives the upload. */
async function waitForFirstEvent(
  { response }: StartedPut,
  probeUploads: ProbeUploads,
  id: string,
  timeoutMs: number,
): Promise<ProbeResponse | 'receiving' | 'timeout'> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const received = await Promise.race([response, sleep(POLL_MS)]);
    if (received !== undefined) return received;
    if ((await probeUploads.getState(id)) === 'receiving') return 'receiving';
  }
  return 'timeout';
}

function reportRefusal(report: DoctorReport, response: ProbeResponse, size: number): void {
  if (response.status === 408) report.fail('body timeout', BODY_TIMEOUT_TEXT);
  else if (response.status === 413) {
    report.fail(
      'body limit',
      `The web server refuses uploads of ${formatSize(size)} (413). Remove its limit, because Porter limits each user. ` +
        'In nginx: client_max_body_size 0; in Apache: LimitRequestBody 0.',
    );
  } else {
    report.fail('upload', `A PUT of ${formatSize(size)} was answered with ${formatProbeResponse(response)}.`);
  }
}
