import { setTimeout as sleep } from 'node:timers/promises';
import { formatSize } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import type { GrantedSlot } from '../uploads/grant-slot.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import {
  openProbe,
  type ProbeResponse,
  type ProbeTarget,
  readProbeResponse,
  sendProbe,
} from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';

const SMALL = 1000;
/** Above what web servers allow by themselves (nginx: 1 MiB). */
const MEDIUM = 1_600_000;
/** Tried where the rules know no limit. */
const LARGE = 1024 ** 3;
/** Enough to go out at once, whatever stands in between. */
const FIRST_PART = 64 * 1024;
/**
 * Through a web server that streams, the first bytes arrive within milliseconds; on a machine with much to do within
 * seconds, and it would be wrongly accused. Less than the silence after which a question ends (`client.ts`).
 */
const ARRIVAL_MS = 8_000;
const REFUSAL_MS = 1_000;
const LOOK_EVERY_MS = 50;

/** A file of the doctor's that is stored. */
export interface StoredProbeFile {
  readonly slot: GrantedSlot;
  readonly bytes: Buffer;
}

/** Text, so that a web server that likes to compress does it. */
function textOf(size: number): Buffer {
  return Buffer.alloc(size, 'Porter was here to see how files travel. ');
}

/** Uploads of several sizes through the front; resolves with what is stored then. */
export async function checkUploads(
  notes: DoctorReport,
  config: Config,
  way: ProbeTarget,
  checkup: ProbeUploads,
): Promise<StoredProbeFile | undefined> {
  const small = await putSmall(notes, way, checkup);
  if (small === undefined) return undefined;
  const medium = await putMedium(notes, way, checkup);
  if (medium) await beginLarge(notes, config, way, checkup, medium.streams);
  return medium?.file ?? small;
}

async function putSmall(
  notes: DoctorReport,
  way: ProbeTarget,
  checkup: ProbeUploads,
): Promise<StoredProbeFile | undefined> {
  const bytes = textOf(SMALL);
  const slot = await checkup.requestSlot({ name: 'small.txt', size: SMALL, type: 'text/plain' });
  const reply = await sendProbe(way, putUrl('', slot.token, slot.name), {
    method: 'PUT',
    headers: { 'Content-Type': 'text/plain' },
    body: bytes,
  });
  if (reply.status === 201) {
    notes.ok('upload', `A file of ${SMALL} bytes is stored.`);
    return { slot, bytes };
  }
  notes.fail('upload', `A PUT of ${SMALL} bytes was answered ${formatProbeResponse(reply)}.`);
  return undefined;
}

async function putMedium(
  notes: DoctorReport,
  way: ProbeTarget,
  checkup: ProbeUploads,
): Promise<{ file: StoredProbeFile; streams: boolean } | undefined> {
  const bytes = textOf(MEDIUM);
  const slot = await checkup.requestSlot({ name: 'medium.txt', size: MEDIUM, type: 'text/plain' });
  const put = beginPut(way, slot);
  try {
    put.request.write(bytes.subarray(0, FIRST_PART));
    const first = await firstSign(put, checkup, slot.id, ARRIVAL_MS);
    if (typeof first === 'object') {
      refused(notes, first, MEDIUM);
      return undefined;
    }
    put.request.end(bytes.subarray(FIRST_PART));
    const reply = await put.reply;
    if (reply.status !== 201) {
      refused(notes, reply, MEDIUM);
      return undefined;
    }
    const streams = first === 'receiving';
    judgeBuffering(notes, streams);
    return { file: { slot, bytes }, streams };
  } catch (fault) {
    notes.fail('upload', `A PUT of ${formatSize(MEDIUM)} broke off: ${shortErrorReason(fault)}.`);
    return undefined;
  } finally {
    put.request.destroy();
  }
}

function judgeBuffering(notes: DoctorReport, streams: boolean): void {
  if (streams) notes.ok('request buffering', 'Uploads stream through to Porter.');
  else {
    notes.fail(
      'request buffering',
      'The web server keeps an upload until its last byte and only then passes it on: clients wait twice, give up, and ' +
        'its disk fills. In nginx: proxy_request_buffering off; and proxy_http_version 1.1;',
    );
  }
}

/**
 * The largest file that somebody may upload: begun, and left as soon as it is clear that it would go. A web server
 * that buffers says only no, and that at once.
 */
async function beginLarge(
  notes: DoctorReport,
  config: Config,
  way: ProbeTarget,
  checkup: ProbeUploads,
  streams: boolean,
): Promise<void> {
  const size = largestAllowed(config);
  if (size <= MEDIUM) {
    notes.ok('body limit', `Files of ${formatSize(MEDIUM)} go through; more is not allowed to anybody.`);
    return;
  }
  const slot = await checkup.requestSlot({ name: 'large.txt', size, type: 'text/plain' });
  const put = beginPut(way, slot);
  try {
    put.request.write(textOf(FIRST_PART));
    const first = await firstSign(put, checkup, slot.id, streams ? ARRIVAL_MS : REFUSAL_MS);
    if (typeof first === 'object') refused(notes, first, size);
    else notes.ok('body limit', `Files of ${formatSize(size)} are let through.`);
  } catch (fault) {
    notes.fail(
      'body limit',
      `A PUT of ${formatSize(size)} is cut off at its start: ${shortErrorReason(fault)}.`,
    );
  } finally {
    put.request.destroy();
  }
}

function largestAllowed({ access, external }: Config): number {
  const sizes = access.filter((rule) => !rule.deny).map((rule) => rule.max_file_size ?? LARGE);
  return Math.max(0, ...sizes, external?.max_file_size ?? 0);
}

interface Put {
  readonly request: ReturnType<typeof openProbe>;
  readonly reply: Promise<ProbeResponse>;
}

function beginPut(way: ProbeTarget, { token, name, size }: GrantedSlot): Put {
  const headers = { 'Content-Type': 'text/plain', 'Content-Length': size };
  const request = openProbe(way, putUrl('', token, name), { method: 'PUT', headers });
  const reply = readProbeResponse(request);
  // Where it is left in the middle, nobody waits for it.
  reply.catch(() => undefined);
  return { request, reply };
}

/** What comes first: an answer, or the server's word in the ledger that it receives; `nothing` after a while. */
async function firstSign(
  { reply }: Put,
  checkup: ProbeUploads,
  id: string,
  patience: number,
): Promise<ProbeResponse | 'receiving' | 'nothing'> {
  const deadline = performance.now() + patience;
  const pause = () => sleep(LOOK_EVERY_MS, undefined);
  while (performance.now() < deadline) {
    const answer = await Promise.race([reply, pause()]);
    if (answer !== undefined) return answer;
    if ((await checkup.getState(id)) === 'receiving') return 'receiving';
  }
  return 'nothing';
}

function refused(notes: DoctorReport, reply: ProbeResponse, size: number): void {
  if (reply.status === 413) {
    notes.fail(
      'body limit',
      `The web server refuses uploads of ${formatSize(size)} (413): Porter has limits for each user, the web server ` +
        'needs none. In nginx: client_max_body_size 0; in Apache: LimitRequestBody 0.',
    );
  } else notes.fail('upload', `A PUT of ${formatSize(size)} was answered ${formatProbeResponse(reply)}.`);
}

/** Status and, where it is one line of text, what it says. */
export function formatProbeResponse({ status, headers, body }: ProbeResponse): string {
  const text = body.toString().trim();
  const plain = headers['content-type']?.startsWith('text/plain') && /^[^\r\n]{1,300}$/.test(text);
  return `${status}${plain ? `: ${text}` : ''}`;
}
