import { randomId } from '../base/ids.ts';
import type { Config } from '../config/load.ts';
import { blobKey, fileUrl, putUrl } from '../uploads/links.ts';
import { createProbeUploads, type ProbeUploads } from '../uploads/probe-uploads.ts';
import type { UploadServices } from '../uploads/services.ts';
import { checkComponents } from './component.ts';
import {
  checkDownload,
  checkErrorResponses,
  checkMissingFile,
  checkRemoval,
  checkWebServerClock,
} from './downloads.ts';
import { checkMessageEndpoints, checkRestrictedEndpoints, checkSignedLinkEndpoints } from './endpoints.ts';
import { checkPresignedDownload } from './presigned.ts';
import { pathBelowTarget } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import {
  isClientAddressHidden,
  type PublicEndpoint,
  reportForwarding,
  requestEcho,
  resolvePublicEndpoint,
} from './reverse-proxy.ts';
import { checkRunningServer, type RunningServer } from './running-server.ts';
import { checkDiskSpace, checkStores } from './storage.ts';
import { checkUploads, type StoredProbeFile } from './uploads.ts';

export interface DoctorContext {
  readonly config: Config;
  /** Undefined where the stores cannot be opened, which is noted already. */
  readonly services: UploadServices | undefined;
  /** The address that clients use, where the config does not say it. */
  readonly url?: string | undefined;
  /** Bytes that must be free on the disks. */
  readonly minFree?: number | undefined;
  readonly now: () => number;
  /** Ends it early; whatever it has made is removed all the same. */
  readonly signal: AbortSignal;
}

/** Looks at everything, from the inside to the outside. Leaves nothing behind. */
export async function runChecks(notes: DoctorReport, examination: DoctorContext): Promise<void> {
  const { config, services, now } = examination;
  if (services) {
    await checkStores(notes, config, services);
    await checkDiskSpace(notes, config, services.blobs, examination.minFree);
  }
  const server = await checkRunningServer(notes, config);
  await checkComponents(notes, config, server, now);
  if (!server || !services) {
    notes.skip('uploads and downloads', 'Not tried: they need a running server and its ledger.');
    return;
  }
  await withCheckup(services, examination.signal, (checkup) =>
    tryOut(notes, examination, services, server, checkup),
  );
}

async function withCheckup(
  deps: UploadServices,
  signal: AbortSignal,
  work: (checkup: ProbeUploads) => Promise<void>,
): Promise<void> {
  const checkup = createProbeUploads(deps);
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(new Error('interrupted'));
  signal.addEventListener('abort', stop);
  try {
    await Promise.race([work(checkup), stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    await checkup.close();
  }
}

async function tryOut(
  notes: DoctorReport,
  examination: DoctorContext,
  deps: UploadServices,
  server: RunningServer,
  checkup: ProbeUploads,
): Promise<void> {
  const { config, now } = examination;
  const front = await chooseFront(notes, examination, server);
  const arrival = front && (await requestEcho(notes, front, checkup));
  if (!front || !arrival) {
    notes.skip('uploads and downloads', 'Not tried: requests do not get through to Porter.');
    return;
  }
  if (front.option !== 'listen') {
    reportForwarding(notes, config, front, arrival);
    await attempt(notes, 'slot API', () =>
      checkRestrictedEndpoints(notes, config, front, isClientAddressHidden(arrival.seen, arrival.from)),
    );
    await attempt(notes, 'signed links', () => checkSignedLinkEndpoints(notes, config, front));
    await attempt(notes, 'messages', () => checkMessageEndpoints(notes, config, front));
    await attempt(notes, 'clock of the web server', () => checkWebServerClock(notes, front.target, now));
  }
  let stored: StoredProbeFile | undefined;
  await attempt(notes, 'upload', async () => {
    stored = await checkUploads(notes, config, front.target, checkup);
  });
  await attempt(notes, 'errors', () =>
    checkErrorResponses(notes, front.target, putUrl('', randomId(), 'no.txt')),
  );
  if (stored) await followFile(notes, examination, deps, front, stored, checkup);
}

/** Where clients upload; without any address for them, the way on this machine. */
async function chooseFront(
  notes: DoctorReport,
  { config, url, now }: DoctorContext,
  server: RunningServer,
): Promise<PublicEndpoint | undefined> {
  if (url !== undefined) return resolvePublicEndpoint(notes, '--url', url, now());
  if (config.public_url !== null) return resolvePublicEndpoint(notes, 'public_url', config.public_url, now());
  notes.warn(
    'public_url',
    'It is not set, so only the way on this machine is tried. To try the one that clients take: porter doctor --url ' +
      'https://…',
  );
  return { option: 'listen', target: server.target };
}

/** The download link of a file, to its end. */
async function followFile(
  notes: DoctorReport,
  { config, now }: DoctorContext,
  deps: UploadServices,
  front: PublicEndpoint,
  stored: StoredProbeFile,
  checkup: ProbeUploads,
): Promise<void> {
  const elsewhere = config.download_url !== null && config.download_url !== front.target.baseUrl;
  const files = elsewhere
    ? await resolvePublicEndpoint(notes, 'download_url', config.download_url ?? '', now())
    : front;
  if (!files) return;
  const linkOf = (file: Parameters<typeof fileUrl>[2]) =>
    pathBelowTarget(files.target, fileUrl(deps, files.target.baseUrl, file));
  const path = linkOf(stored.slot);
  const id = randomId();
  const nothing = linkOf({ id, name: 'no.txt', blob: blobKey(id, 'no.txt') });
  await attempt(notes, 'missing files', () => checkMissingFile(notes, files.target, nothing));
  await attempt(notes, 'download', () =>
    config.downloads.via === 'presigned'
      ? checkPresignedDownload(notes, files.target, path, stored)
      : checkDownload(notes, config, files.target, path, stored),
  );
  await attempt(notes, 'removal', () => checkRemoval(notes, files.target, path, stored, checkup));
}

/** A check that breaks off is a finding too, and the others go on. */
async function attempt(notes: DoctorReport, check: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (fault) {
    notes.fail(check, `It broke off: ${shortErrorReason(fault)}.`);
  }
}
