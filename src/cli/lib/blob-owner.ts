import { stat } from 'node:fs/promises';
import type { Config } from '../../config/load.ts';
import { CommandError } from './command-error.ts';

/** What another user, such as root, brings into a folder of blobs, the server could neither read nor remove. */
export async function requireBlobOwner({ storage }: Pick<Config, 'storage'>): Promise<void> {
  if (storage.blobs.kind !== 'folder') return;
  const us = process.getuid?.();
  const { uid } = await stat(storage.blobs.path);
  if (us === undefined || us === uid) return;
  throw new CommandError(
    `The blobs belong to user ${uid}, and this is user ${us}: run it as the user that Porter runs as (sudo -u '#${uid}' …).`,
  );
}
