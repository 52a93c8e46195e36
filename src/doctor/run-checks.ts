import { raceAbort } from '../base/async.ts';
import { randomId } from '../base/ids.ts';
import { createHostedLinks } from '../config/hosted-domains.ts';
import type { Config } from '../config/load.ts';
import { blobKey, fileUrl, putUrl } from '../uploads/links.ts';
import { createProbeUploads, type ProbeUploads } from '../uploads/probe-uploads.ts';
import type { UploadServices } from '../uploads/services.ts';
import { type AccountCheckOptions, checkAccounts } from './accounts.ts';
import { checkComponents } from './component.ts';
import {
  checkDownload,
  checkErrorResponses,
  checkMissingFile,
  checkRemoval,
  checkWebServerClock,
} from './downloads.ts';
import { checkMessageEndpoints, checkRestrictedEndpoints, checkSignedLinkEndpoints } from './endpoints.ts';
import { checkFileOwners } from './file-owners.ts';
import { checkPresignedDownload } from './presigned.ts';
import { pathBelowTarget } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import { checkResumableUploads } from './resumable.ts';
import {
  isClientAddressHidden,
  type PublicEndpoint,
  type ReceivedEcho,
  reportForwarding,
  requestEcho,
  resolvePublicEndpoint,
} from './reverse-proxy.ts';
import { checkRunningServer, type RunningServer } from './running-server.ts';
import { checkInfectedUpload, checkScanner } from './scanner.ts';
import { checkDiskSpace, checkStores } from './storage.ts';
import { checkDecoder, checkServedThumbnail } from './thumbnails.ts';
import { checkUploads, type StoredProbeFile } from './uploads.ts';

export interface DoctorOptions {
  readonly config: Config;
  /** Undefined if the stores cannot be opened. The caller has reported that. */
  readonly services: UploadServices | undefined;
  /** Replaces `public_url`. */
  readonly url?: string | undefined;
  /** Required free disk space in bytes. */
  readonly minFree?: number | undefined;
  /** The settings of logins, and an account for a test. Undefined if the config has neither `messages` nor `web`. */
  readonly accounts?: Pick<AccountCheckOptions, 'settings' | 'account'> | undefined;
  readonly now: () => number;
  /** Stops the checks when it aborts. Test uploads are removed in any case. */
  readonly signal: AbortSignal;
}

/**
 * Runs all checks: stores and disks, the running server, the XMPP server, then uploads and downloads through the
 * reverse proxy. Removes its test uploads.
 */
export async function runChecks(report: DoctorReport, options: DoctorOptions): Promise<void> {
  const { config, services, minFree, signal } = options;
  const hasDecoder = config.thumbnails && (await checkDecoder(report));
  if (services) {
    await checkStores(report, config, services);
    await checkFileOwners(report, config);
    await checkDiskSpace(report, config, services.blobs, minFree);
    await checkScanner(report, config, options.now());
  }
  const probeUploads = services && createProbeUploads(services);
  try {
    await raceAbort(checkServer(report, { ...options, hasDecoder }, probeUploads), signal);
  } finally {
    await probeUploads?.close();
  }
}

interface ServerCheckOptions extends DoctorOptions {
  /** True if thumbnails are on and their decoder works on this machine. */
  readonly hasDecoder: boolean;
}

/** Checks the running server and the XMPP server, then transfers through the reverse proxy. */
async function checkServer(
  report: DoctorReport,
  options: ServerCheckOptions,
  probeUploads: ProbeUploads | undefined,
): Promise<void> {
  const { config, services, accounts, now } = options;
  const server = await checkRunningServer(report, config);
  await checkComponents(report, { config, server, probeUploads, now });
  if (accounts) {
    const doctorToken = await probeUploads?.token();
    const target = server && { ...server.target, ...(doctorToken !== undefined && { doctorToken }) };
    await runCheck(report, 'accounts', () => checkAccounts(report, { config, ...accounts, target, now }));
  }
  if (!server || !services || !probeUploads) {
    report.skip('uploads and downloads', 'Not tested: they need a running server and its database.');
    return;
  }
  await checkAllTransfers(report, { ...options, services, server, probeUploads });
}

interface TransferOptions extends ServerCheckOptions {
  readonly services: UploadServices;
  readonly server: RunningServer;
  readonly probeUploads: ProbeUploads;
}

/** Tests the links of every hosted domain, because each may have a separate web server or `server` block. */
async function checkAllTransfers(report: DoctorReport, options: TransferOptions): Promise<void> {
  const { config, url } = options;
  const { all } = createHostedLinks(config);
  if (url !== undefined || all.length === 1) return checkTransfers(report, options);
  for (const { putBase, getBase } of all) {
    const subject = putBase === null ? 'listen' : new URL(putBase).host;
    const ofDomain = { ...config, public_url: putBase, download_url: getBase };
    await checkTransfers(report.about(subject), { ...options, config: ofDomain });
  }
}

async function checkTransfers(report: DoctorReport, options: TransferOptions): Promise<void> {
  const { config, probeUploads } = options;
  const chosen = await choosePublicEndpoint(report, options);
  const doctorToken = await probeUploads.token();
  const endpoint = chosen && { ...chosen, target: { ...chosen.target, doctorToken } };
  const received = endpoint && (await requestEcho(report, endpoint, probeUploads, config));
  if (!endpoint || !received) {
    report.skip('uploads and downloads', 'Not tested: requests do not reach Porter.');
    return;
  }
  const { target } = endpoint;
  if (endpoint.option !== 'listen') await checkReverseProxy(report, options, endpoint, received);
  let stored: StoredProbeFile | undefined;
  await runCheck(report, 'upload', async () => {
    stored = await checkUploads(report, config, target, probeUploads);
  });
  if (options.hasDecoder)
    await runCheck(report, 'thumbnails', () => checkServedThumbnail(report, target, probeUploads));
  if (report.hasFailed('query', 'Content-Type'))
    report.skip(
      'resumable uploads',
      'Not tested: the web server must forward the query and Content-Type first.',
    );
  else if (stored)
    await runCheck(report, 'resumable uploads', () =>
      checkResumableUploads(report, config, target, probeUploads, received.echo.sendsInterim),
    );
  if (config.uploads.scan)
    await runCheck(report, 'infected upload', () => checkInfectedUpload(report, target, probeUploads));
  await runCheck(report, 'errors', () =>
    checkErrorResponses(report, target, putUrl('', randomId(), 'unknown.txt')),
  );
  if (stored) await checkStoredFile(report, options, endpoint, stored);
}

/** Returns the address for test uploads: `--url`, else `public_url`, else `listen`, without a reverse proxy. */
async function choosePublicEndpoint(
  report: DoctorReport,
  { config, url, now, server }: TransferOptions,
): Promise<PublicEndpoint | undefined> {
  if (url !== undefined) return resolvePublicEndpoint(report, '--url', url, now());
  if (config.public_url !== null)
    return resolvePublicEndpoint(report, 'public_url', config.public_url, now());
  report.warn(
    'public_url',
    'It is not set, so only the address on this machine is tested. To test the address of clients, run: porter doctor ' +
      '--url https://…',
  );
  return { option: 'listen', target: server.target };
}

async function checkReverseProxy(
  report: DoctorReport,
  { config, now }: TransferOptions,
  endpoint: PublicEndpoint,
  received: ReceivedEcho,
): Promise<void> {
  reportForwarding(report, config, endpoint, received);
  await runCheck(report, 'slot API', () =>
    checkRestrictedEndpoints(report, config, endpoint, isClientAddressHidden(received)),
  );
  await runCheck(report, 'signed links', () => checkSignedLinkEndpoints(report, config, endpoint));
  await runCheck(report, 'messages', () => checkMessageEndpoints(report, config, endpoint));
  await runCheck(report, 'clock of the web server', () => checkWebServerClock(report, endpoint.target, now));
}

/** Checks the download link of a stored file, and removes the file. */
async function checkStoredFile(
  report: DoctorReport,
  { config, services, probeUploads, now }: TransferOptions,
  endpoint: PublicEndpoint,
  stored: StoredProbeFile,
): Promise<void> {
  const { download_url: downloadUrl } = config;
  const downloads =
    downloadUrl !== null && downloadUrl !== endpoint.target.baseUrl
      ? await resolvePublicEndpoint(report, 'download_url', downloadUrl, now())
      : endpoint;
  if (!downloads) return;
  const { target } = downloads;
  const pathOf = (file: Parameters<typeof fileUrl>[2]) =>
    pathBelowTarget(target, fileUrl(services, target.baseUrl, file));
  const path = pathOf(stored.slot);
  const id = randomId();
  const unknownPath = pathOf({ id, name: 'unknown.txt', blob: blobKey(id, 'unknown.txt') });
  await runCheck(report, 'missing files', () => checkMissingFile(report, target, unknownPath));
  await runCheck(report, 'download', () =>
    config.downloads.via === 'presigned'
      ? checkPresignedDownload(report, target, path, stored)
      : checkDownload(report, config, target, path, stored),
  );
  await runCheck(report, 'removal', () => checkRemoval(report, target, path, stored, probeUploads));
}

/** Reports an error of a check as a finding, so that the other checks still run. */
async function runCheck(report: DoctorReport, check: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    report.fail(check, `The check was interrupted by an error: ${shortErrorReason(error)}.`);
  }
}
