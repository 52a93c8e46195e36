import { randomId } from '../base/ids.ts';
import type { Config } from '../config/load.ts';
import { beginCheckup, type Checkup } from '../uploads/checkup.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { blobKey, fileUrl, putUrl } from '../uploads/links.ts';
import { pathIn } from './client.ts';
import { checkComponents } from './component.ts';
import { checkMessageDoors, checkOpenDoors, checkSignedDoors } from './doors.ts';
import { checkDate, checkDownload, checkErrors, checkMissing, checkRemoval } from './downloads.ts';
import { type Notes, reasonIn } from './finding.ts';
import { checkPresigned } from './presigned.ts';
import { checkServer, type RunningServer } from './server.ts';
import { checkDisks, checkStores } from './storage.ts';
import { checkUploads, type StoredFile } from './uploads.ts';
import { approach, type Front, hidesClients, judgeArrival, lookInMirror } from './way-in.ts';

export interface Examination {
  readonly config: Config;
  /** Undefined where the stores cannot be opened, which is noted already. */
  readonly deps: UploadDeps | undefined;
  /** The address that clients use, where the config does not say it. */
  readonly url?: string | undefined;
  /** Bytes that must be free on the disks. */
  readonly minFree?: number | undefined;
  readonly now: () => number;
  /** Ends it early; whatever it has made is removed all the same. */
  readonly signal: AbortSignal;
}

/** Looks at everything, from the inside to the outside. Leaves nothing behind. */
export async function examine(notes: Notes, examination: Examination): Promise<void> {
  const { config, deps, now } = examination;
  if (deps) {
    await checkStores(notes, config, deps);
    await checkDisks(notes, config, deps.blobs, examination.minFree);
  }
  const server = await checkServer(notes, config);
  await checkComponents(notes, config, server, now);
  if (!server || !deps) {
    notes.skip('uploads and downloads', 'Not tried: they need a running server and its ledger.');
    return;
  }
  await withCheckup(deps, examination.signal, (checkup) => tryOut(notes, examination, deps, server, checkup));
}

async function withCheckup(
  deps: UploadDeps,
  signal: AbortSignal,
  work: (checkup: Checkup) => Promise<void>,
): Promise<void> {
  const checkup = beginCheckup(deps);
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(new Error('interrupted'));
  signal.addEventListener('abort', stop);
  try {
    await Promise.race([work(checkup), stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    await checkup.end();
  }
}

async function tryOut(
  notes: Notes,
  examination: Examination,
  deps: UploadDeps,
  server: RunningServer,
  checkup: Checkup,
): Promise<void> {
  const { config, now } = examination;
  const front = await chooseFront(notes, examination, server);
  const arrival = front && (await lookInMirror(notes, front, checkup));
  if (!front || !arrival) {
    notes.skip('uploads and downloads', 'Not tried: requests do not get through to Porter.');
    return;
  }
  if (front.option !== 'listen') {
    judgeArrival(notes, config, front, arrival);
    await attempt(notes, 'slot API', () =>
      checkOpenDoors(notes, config, front, hidesClients(arrival.seen, arrival.from)),
    );
    await attempt(notes, 'signed links', () => checkSignedDoors(notes, config, front));
    await attempt(notes, 'messages', () => checkMessageDoors(notes, config, front));
    await attempt(notes, 'clock of the web server', () => checkDate(notes, front.way, now));
  }
  let stored: StoredFile | undefined;
  await attempt(notes, 'upload', async () => {
    stored = await checkUploads(notes, config, front.way, checkup);
  });
  await attempt(notes, 'errors', () => checkErrors(notes, front.way, putUrl('', randomId(), 'no.txt')));
  if (stored) await followFile(notes, examination, deps, front, stored, checkup);
}

/** Where clients upload; without any address for them, the way on this machine. */
async function chooseFront(
  notes: Notes,
  { config, url, now }: Examination,
  server: RunningServer,
): Promise<Front | undefined> {
  if (url !== undefined) return approach(notes, '--url', url, now());
  if (config.public_url !== null) return approach(notes, 'public_url', config.public_url, now());
  notes.warn(
    'public_url',
    'It is not set, so only the way on this machine is tried. To try the one that clients take: porter doctor --url ' +
      'https://…',
  );
  return { option: 'listen', way: server.way };
}

/** The download link of a file, to its end. */
async function followFile(
  notes: Notes,
  { config, now }: Examination,
  deps: UploadDeps,
  front: Front,
  stored: StoredFile,
  checkup: Checkup,
): Promise<void> {
  const elsewhere = config.download_url !== null && config.download_url !== front.way.base;
  const files = elsewhere ? await approach(notes, 'download_url', config.download_url ?? '', now()) : front;
  if (!files) return;
  const linkOf = (file: Parameters<typeof fileUrl>[2]) =>
    pathIn(files.way, fileUrl(deps, files.way.base, file));
  const path = linkOf(stored.slot);
  const id = randomId();
  const nothing = linkOf({ id, name: 'no.txt', blob: blobKey(id, 'no.txt') });
  await attempt(notes, 'missing files', () => checkMissing(notes, files.way, nothing));
  await attempt(notes, 'download', () =>
    config.downloads.via === 'presigned'
      ? checkPresigned(notes, files.way, path, stored)
      : checkDownload(notes, config, files.way, path, stored),
  );
  await attempt(notes, 'removal', () => checkRemoval(notes, files.way, path, stored, checkup));
}

/** A check that breaks off is a finding too, and the others go on. */
async function attempt(notes: Notes, check: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (fault) {
    notes.fail(check, `It broke off: ${reasonIn(fault)}.`);
  }
}
