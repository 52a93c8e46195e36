import type { Config } from '../config/load.ts';
import { askClamd } from '../scanner/clamd.ts';
import { formatScannerAddress, ScannerError } from '../scanner/contract.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import { formatProbeResponse, type ProbeTarget, sendProbe } from './probe-client.ts';
import type { DoctorReport } from './report.ts';

const CHECK = 'virus scanner';
const ANSWER_TIMEOUT_MS = 10_000;
/** A scan may wait for others. */
const PROBE_TIMEOUT_MS = 120_000;
const DAY_MS = 86_400_000;
/** ClamAV publishes signatures every day. */
const OLD_SIGNATURES_MS = 7 * DAY_MS;

/** The EICAR test file, which every scanner detects. It is split, so that scanners do not detect it in this source file. */
const EICAR = ['X5O!P%@AP[4', '\\PZX54(P^)7CC)7}$EICAR', '-STANDARD-ANTIVIRUS-', 'TEST-FILE!$H+H*'].join('');

/** Requests the version of clamd, and checks the date of its signatures. */
export async function checkScanner(
  report: DoctorReport,
  { uploads: { scan } }: Pick<Config, 'uploads'>,
  now: number,
): Promise<void> {
  if (scan === null) return;
  const address = formatScannerAddress(scan.clamd);
  try {
    const version = await askClamd(scan.clamd, 'VERSION', AbortSignal.timeout(ANSWER_TIMEOUT_MS));
    const date = Date.parse(version.split('/')[2] ?? '');
    if (now - date <= OLD_SIGNATURES_MS) return report.ok(CHECK, `clamd at ${address} answers: ${version}.`);
    const age = Number.isNaN(date) ? 'of unknown age' : `${Math.floor((now - date) / DAY_MS)} days old`;
    report.warn(
      CHECK,
      `clamd at ${address} answers (${version}), but its signatures are ${age}. Is freshclam running? Debian: systemctl status clamav-freshclam`,
    );
  } catch (error) {
    if (!(error instanceof ScannerError)) throw error;
    report.fail(
      CHECK,
      `${error.message}. Is clamd running, and may uid ${process.getuid?.()} use it? Debian: systemctl status clamav-daemon (docs/scanning.md)`,
    );
  }
}

/** Uploads the EICAR test file, which must be refused. */
export async function checkInfectedUpload(
  report: DoctorReport,
  target: ProbeTarget,
  probeUploads: ProbeUploads,
): Promise<void> {
  const check = 'infected upload';
  const body = Buffer.from(EICAR);
  const type = 'application/octet-stream';
  const slot = await probeUploads.requestSlot({ name: 'eicar.bin', size: body.length, type });
  const response = await sendProbe(target, putUrl('', slot.token, slot.name), {
    method: 'PUT',
    headers: { 'Content-Type': type },
    body,
    idleTimeoutMs: PROBE_TIMEOUT_MS,
  });
  const answer = formatProbeResponse(response);
  if (response.status === 422) return report.ok(check, 'The EICAR test file is refused.');
  if (response.status === 201) {
    return report.fail(
      check,
      'The EICAR test file was stored. Is the running server reloaded with uploads.scan, and does clamd have its signatures?',
    );
  }
  report.fail(check, `The EICAR test file was not answered with 422, but with ${answer}.`);
}
