import { getUrl, putUrl, SHOWN_WIDTH } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import { findDecoderProblem, INSTALL_DECODER } from '../uploads/thumbnails/shrinker.ts';
import { formatProbeResponse, type ProbeResponse, type ProbeTarget, sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';

const CHECK = 'thumbnails';
/** The first picture starts the decoder process, and may wait for other pictures. */
const TIMEOUT_MS = 60_000;

/** A picture of one pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Loads the decoder of thumbnails on this machine. Reports a failure and returns false if it does not work. */
export async function checkDecoder(report: DoctorReport, findProblem = findDecoderProblem): Promise<boolean> {
  const reason = await findProblem();
  if (reason === undefined) return true;
  report.fail(
    CHECK,
    `The package sharp cannot be loaded: ${reason} Run in the folder of Porter: ${INSTALL_DECODER}; then restart Porter. Or set thumbnails: false.`,
  );
  return false;
}

/** Uploads a picture, and requests its thumbnail as a client does. */
export async function checkServedThumbnail(
  report: DoctorReport,
  target: ProbeTarget,
  probeUploads: Pick<ProbeUploads, 'requestSlot'>,
): Promise<void> {
  const type = 'image/png';
  const slot = await probeUploads.requestSlot({ name: 'pixel.png', size: PNG.length, type });
  const put = await sendProbe(target, putUrl('', slot.token, slot.name), {
    method: 'PUT',
    headers: { 'Content-Type': type },
    body: PNG,
  });
  if (put.status !== 201) {
    report.fail(CHECK, `The PUT of a test picture was answered with ${formatProbeResponse(put)}.`);
    return;
  }
  const path = `${getUrl('', slot, 'ascii')}?thumb=${SHOWN_WIDTH}`;
  const response = await sendProbe(target, path, { idleTimeoutMs: TIMEOUT_MS });
  const problem = thumbnailProblem(response);
  if (problem === undefined) report.ok(CHECK, 'The thumbnail of a test picture is served.');
  else report.fail(CHECK, `?thumb=${SHOWN_WIDTH} of a test picture ${problem}`);
}

function thumbnailProblem(response: ProbeResponse): string | undefined {
  const { status, headers } = response;
  if (status === 200 && headers['content-type'] === 'image/webp') return undefined;
  if (status === 200) {
    return 'was answered with the picture itself. Restart Porter with thumbnails: true, and let the web server forward the query unchanged.';
  }
  if (status === 404 || status === 503) {
    return `was answered with ${status}: the running server cannot make thumbnails. Its log has the reason. If sharp was installed after its start, restart it.`;
  }
  return `was answered with ${formatProbeResponse(response)}.`;
}
