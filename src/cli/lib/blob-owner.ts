import { stat } from 'node:fs/promises';
import type { Config } from '../../config/load.ts';
import { CommandError } from './command-error.ts';

/** Throws if this process does not run as the owner of the blob folder, because the server could not read or remove its files. */
export async function requireBlobOwner({ storage }: Pick<Config, 'storage'>): Promise<void> {
  if (storage.blobs.kind !== 'folder') return;
  const processUid = process.getuid?.();
  const { uid } = await stat(storage.blobs.path);
  if (processUid === undefined || processUid === uid) return;
  throw new CommandError(
    `${storage.blobs.path} belongs to user ${uid}, but this command runs as user ${processUid}. ` +
      `Run it as the user that Porter runs as: sudo -u '#${uid}' porter …`,
  );
}
